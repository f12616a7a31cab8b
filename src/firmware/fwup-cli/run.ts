import { compatibleFwupVersion } from '../config/compatible-version.ts';
import { FlotillaError } from '../../error.ts';
import { applyCommand } from './apply-command.ts';
import { createCommand, genKeysCommand, signCommand, sparseCheckCommand } from './create-command.ts';
import { drainStandardInput } from './input.ts';
import { listCommand, metadataCommand, verifyCommand } from './look-command.ts';
import { findMemoryCards } from './memory-card.ts';
import { chooseMemoryCard } from './card-choice.ts';
import type { FwupOutput } from './output.ts';
import {
  newSetting,
  readSetting,
  type Environment,
  type FwupCommand,
  type FwupSetting,
  type Immediate,
} from './setting.ts';
import { usageText } from './usage.ts';

const commands: Record<FwupCommand, (setting: FwupSetting, output: FwupOutput, environment: Environment) => Promise<void>> = {
  apply: applyCommand,
  create: createCommand,
  'gen-keys': genKeysCommand,
  list: listCommand,
  metadata: metadataCommand,
  sign: signCommand,
  'sparse-check': sparseCheckCommand,
  verify: verifyCommand,
}; // prettier-ignore

/** Runs one command line; gives the exit code, 0 or 1 like fwup's. */
export async function runFwupCommandLine(
  argv: readonly string[],
  output: FwupOutput,
  environment: Environment,
): Promise<number> {
  const setting = newSetting();
  const code = await runSetting(argv, setting, output, environment);
  if (setting.exitHandshake) {
    output.handshake(code);
    await drainStandardInput();
  }
  return code;
}

async function runSetting(
  argv: readonly string[],
  setting: FwupSetting,
  output: FwupOutput,
  environment: Environment,
): Promise<number> {
  try {
    const ends = readSetting(argv, setting, output);
    if (ends) return await endAtOnce(ends, output);
    const command = chooseCommand(setting);
    await commands[command](setting, output, environment);
    return 0;
  } catch (error) {
    sayError(error, setting, output);
    return 1;
  }
}

async function endAtOnce(ends: Immediate, output: FwupOutput): Promise<number> {
  switch (ends) {
    case 'version':
      output.plain(`${compatibleFwupVersion}\n`);
      return 0;
    case 'detect':
      output.result(findMemoryCards().map(({ path, sizeBytes }) => `${path},${sizeBytes}\n`).join('')); // prettier-ignore
      return 0;
    case 'chosen-card': {
      output.result(`${chooseMemoryCard(output).path}\n`);
      return 0;
    }
    case 'help':
    case 'usage':
      output.plain(usageText);
      return ends === 'help' ? 0 : 1;
  }
}

function chooseCommand(setting: FwupSetting): FwupCommand {
  if (setting.quiet && setting.numeric) throw misuse('pick either -n or -q, but not both');
  if (setting.easy && setting.operands.length === 1) {
    setting.command = 'apply';
    setting.input = setting.operands.pop();
    setting.task ??= 'complete';
  }
  if (setting.operands.length > 0) throw misuse(`unexpected parameter: ${setting.operands[0]}`);
  if (setting.input === '-') setting.input = undefined;
  if (setting.output === '-') setting.output = undefined;
  if (setting.command) return setting.command;
  throw misuse('specify one of -a, -c, -l, -m, -S, -V, or -z');
}

function misuse(message: string): FlotillaError {
  return new FlotillaError('usage', 'firmware-command-line', message);
}

/** A configuration's mistakes go to standard error with their place, as its parser tells them; the rest is one line. */
function sayError(error: unknown, setting: FwupSetting, output: FwupOutput): void {
  if (!(error instanceof FlotillaError)) {
    output.error(error instanceof Error ? error.message : String(error));
    return;
  }
  const { detail, message } = error;
  const text = detail.fwup ?? message;
  if (error.code === 'firmware-metadata-missing') {
    const place = setting.command === 'metadata' || setting.command === 'list' ? 'at beginning' : 'at the beginning';
    output.error(`Expecting meta.conf to be ${place} of ${setting.input ?? '(null)'}`);
  } else if (error.code === 'firmware-config' && detail.position && setting.command === 'create') {
    output.diagnostic(`${detail.position.file ?? setting.configPath}:${detail.position.line}: ${text}\n`);
    const isStdin = setting.configPath === '-';
    output.error(
      isStdin ? 'Error parsing configuration from stdin' : `Error parsing configuration file '${setting.configPath}'`,
    );
  } else output.error(text);
}
