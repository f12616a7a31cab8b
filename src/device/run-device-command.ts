import { parseArgs } from 'node:util';
import { FlotillaError } from '../error.ts';
import { csr } from './command/csr.ts';
import { diagnose } from './command/diagnose.ts';
import { install } from './command/install.ts';
import { receipt } from './command/receipt.ts';
import { status } from './command/status.ts';
import { uninstall } from './command/uninstall.ts';
import type { CommandContext, DeviceCommand, Values } from './device-command.ts';

const commands: Readonly<Record<string, DeviceCommand>> = {
  install,
  uninstall,
  status,
  diagnose,
  receipt,
  csr,
};
const everybodys = { json: { type: 'boolean' }, help: { type: 'boolean' } } as const;

/** What follows `flotilla-agent`, when it is not `run`. Prints on stdout; the exit code is the answer. */
export async function runDeviceCommand(argv: readonly string[], context: CommandContext): Promise<number> {
  const [name = '--help', ...rest] = argv;
  if (name === '--version') return say(`${context.version}\n`);
  if (name === '--help' || name === 'help') return say(helpText(context.version));
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    throw new FlotillaError('usage', 'usage', 'the agent knows no such command', {
      seen: name,
      expected: ['run', ...Object.keys(commands)].join(', '),
      suggestion: 'flotilla-agent --help',
    });
  }
  const values = parse(name, command, rest);
  if (values['help']) return say(`flotilla-agent ${name} ${command.usage}\n${command.summary}\n`);
  const { data, text, exitCode = 0 } = await command.run(values, context);
  say(values['json'] ? `${JSON.stringify(data)}\n` : text);
  return exitCode;
}

function parse(name: string, command: DeviceCommand, args: string[]): Values {
  try {
    const options = { ...command.options, ...everybodys };
    const { values, positionals } = parseArgs({ args, options, allowPositionals: command.takesFile ?? false });
    if (positionals.length > 1) throw new Error(`one file at a time: ${positionals.join(' ')}`);
    return positionals.length === 0 ? values : { ...values, file: positionals[0] };
  } catch (cause) {
    throw new FlotillaError('usage', 'usage', (cause as Error).message, {
      expected: `flotilla-agent ${name} ${command.usage}`,
      cause,
    });
  }
}

function say(text: string): 0 {
  process.stdout.write(text);
  return 0;
}

function helpText(version: string): string {
  const rows = [
    ['run --config FILE', 'be the agent, in the foreground, for a supervisor'],
    ...Object.entries(commands).map(([name, { usage, summary }]) => [`${name} ${usage}`, summary]),
    ['--version', ''],
  ] as const;
  const lines = rows.map(([synopsis, summary]) => `  ${synopsis}\n${summary === '' ? '' : `      ${summary}\n`}`);
  return `flotilla-agent ${version}\n\n${lines.join('')}\nEvery command takes --json and --help.\n`;
}
