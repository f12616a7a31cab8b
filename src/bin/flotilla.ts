/** The CLI. Loads one command and runs it; src/cli/base-command.ts renders what it returns and sets the exit code. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Config } from '@oclif/core/config';
import { normalizeArgv } from '@oclif/core/help';
import { run } from '@oclif/core/run';
import { settings } from '@oclif/core/settings';
import { asksForJson } from '../cli/base-command.ts';
import { reportAndExit } from '../cli/report-error.ts';
import { unknownCommand } from '../cli/unknown-command.ts';

settings.enableAutoTranspile = false;
// node:sqlite and process.execve still announce themselves on stderr.
process.removeAllListeners('warning');
// The reader went away (`flotilla event tail | head`): nobody is left to tell.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
});
// What is told on the way has no reader any more: the work goes on, and the exit code says how it ended.
process.stderr.on('error', () => undefined);

const argv = process.argv.slice(2);
const root = resolve(import.meta.dirname, '..', '..'); // the checkout, or dist/
const pjson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const built = existsSync(join(root, 'oclif.manifest.json'));
if (!built) pjson.oclif.commands = { strategy: 'pattern', target: './commands', globPatterns: ['**/*.ts'] };

try {
  const config = await Config.load({ root, pjson, ignoreManifest: !built });
  const [id = ''] = normalizeArgv(config, [...argv]);
  const asksForText = argv.length === 0 || argv.includes('--help') || argv[0] === '--version';
  if (!asksForText && !config.findCommand(id) && (asksForJson(argv) || !config.findTopic(id))) {
    throw unknownCommand(id, config.commandIDs);
  }
  await run(argv, config);
} catch (error) {
  reportAndExit(error, asksForJson(argv));
}
