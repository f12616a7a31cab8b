import { statSync } from 'node:fs';
import { FlotillaError } from '../../error.ts';
import { applyLikeFwup } from '../apply/apply.ts';
import { chooseMemoryCard, confirmMemoryCard } from './card-choice.ts';
import { deframe, standardInput } from './input.ts';
import { unmountAll } from './memory-card.ts';
import type { FwupOutput, ProgressMode } from './output.ts';
import type { Environment, FwupSetting } from './setting.ts';

/** fwup reads so much at a time; what it tells to have read is a multiple of it. */
const inputBlockBytes = 16_384;

/** `-a`: writes a bundle to a device or an image file. */
export async function applyCommand(setting: FwupSetting, output: FwupOutput, environment: Environment): Promise<void> {
  if (setting.task === undefined) throw new FlotillaError('usage', 'firmware-command-line', 'specify a task (-t)');
  const destinationPath = setting.device ?? chosenCard(setting, output);
  output.mode = progressMode(setting, output);
  const found = statSync(destinationPath, { throwIfNoEntry: false });
  if (setting.enableTrim && (found === undefined || found.isFile())) {
    output.info('ignoring --enable-trim since operating on a regular file');
  }
  if (found?.isBlockDevice() && setting.unmount) await unmount(destinationPath, output);
  const source = setting.input === undefined ? { stream: inputStream(output) } : { path: setting.input };
  const inputSize = setting.input === undefined ? undefined : statSync(setting.input, { throwIfNoEntry: false })?.size;
  try {
    await applyLikeFwup(
      {
        ...source,
        destinationPath,
        task: setting.task,
        publicKeys: setting.publicKeys,
        variables: environment,
        unsafe: setting.unsafe,
        onInfo: (text) => output.info(text),
        ...(setting.maxSizeBlocks > 0 ? { destinationSizeBytes: setting.maxSizeBlocks * 512 } : {}),
      },
      {
        progressRange: { low: setting.progressLow, high: setting.progressHigh },
        onReport: (report) => output.progress({ ...report, inputBytes: readSoFar(report.inputBytes, inputSize) }),
        verifyWrites: setting.verifyWrites,
        minimizeWrites: setting.minimizeWrites,
        enableTrim: setting.enableTrim,
        rebootParamPath: setting.rebootParamPath,
        verbose: setting.verbose,
      },
    );
  } catch (error) {
    if (!setting.quiet) output.diagnostic('\n');
    throw error;
  }
  output.finished();
  output.result('');
}

function chosenCard(setting: FwupSetting, output: FwupOutput): string {
  const card = chooseMemoryCard(output);
  if (!setting.acceptCard) confirmMemoryCard(card, setting.input, output);
  return card.path;
}

function progressMode({ quiet, numeric }: FwupSetting, { framing }: FwupOutput): ProgressMode {
  if (quiet) return 'off';
  if (framing) return 'framing';
  return numeric ? 'numeric' : 'bar';
}

async function unmount(device: string, output: FwupOutput): Promise<void> {
  const failed = await unmountAll(device);
  for (const mountPoint of failed) output.info(`Error calling umount on '${mountPoint}'`);
  if (failed.length > 0) {
    throw new FlotillaError('failed', 'firmware-destination-unusable', `Cannot unmount what is on ${device}`);
  }
}

export function inputStream({ framing }: FwupOutput): AsyncIterable<Uint8Array> {
  return framing ? deframe(standardInput()) : standardInput();
}

function readSoFar(usedBytes: number, sizeBytes: number | undefined): number {
  const read = Math.ceil(usedBytes / inputBlockBytes) * inputBlockBytes;
  return sizeBytes === undefined ? usedBytes : Math.min(read, sizeBytes);
}
