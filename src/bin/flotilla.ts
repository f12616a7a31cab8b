/** The CLI. Loads one command and runs it; src/cli/base-command.ts renders what it returns and sets the exit code. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Config, run, settings } from '@oclif/core';
import { reportAndExit } from '../cli/report-error.ts';

settings.enableAutoTranspile = false;
// node:sqlite and process.execve still announce themselves on stderr.
process.removeAllListeners('warning');

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, '..', '..'); // the checkout, or dist/
const pjson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const built = existsSync(join(root, 'oclif.manifest.json'));
pjson.oclif.commands = {
  strategy: 'pattern',
  target: './commands',
  globPatterns: [built ? '**/*.js' : '**/*.ts'],
};

try {
  const config = await Config.load({ root, pjson, ignoreManifest: !built });
  await run(process.argv.slice(2), config);
} catch (error) {
  reportAndExit(error, process.argv.includes('--json'));
}
