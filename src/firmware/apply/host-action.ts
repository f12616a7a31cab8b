import { access, constants, open } from 'node:fs/promises';
import { execa } from 'execa';
import { FlotillaError } from '../../error.ts';
import { fromByteString } from '../config/source-text.ts';
import { systemErrorText } from '../config/system-error.ts';
import { dataRuns, endingHole } from './file-run.ts';
import { fillHoles } from './filled-hole.ts';
import { resourceOf, unsafeRefused, type ActionContext, type PlanInput, type PlannedAction } from './planned-action.ts';
import { blockBytes } from './segment-cache.ts';

/**
 * Actions that reach beyond the destination: they run only where the caller said --unsafe. A signature says who made
 * a bundle, not that it may do anything to the machine that applies it.
 */
export function planPathWrite(input: PlanInput): PlannedAction {
  const { map, dataBytes, fileBytes } = resourceOf(input);
  const path = textOf(input);
  return {
    units: dataBytes,
    endBytes: 0,
    readsData: true,
    needsUnsafe: true,
    async run(context, data) {
      requireUnsafe(input, context);
      const handle = await open(path, 'w', 0o666).catch((cause) => {
        throw hostError(`path_write can't open '${path}'`, cause);
      });
      try {
        for await (const { offset, bytes } of dataRuns(map, data)) {
          await handle.write(bytes, 0, bytes.length, offset);
          context.progress.add(bytes.length);
        }
        if (endingHole(map) > 0) await handle.truncate(fileBytes); // holes stay holes
      } finally {
        await handle.close();
      }
    },
  };
}

export function planPipeWrite(input: PlanInput): PlannedAction {
  const command = textOf(input);
  return planPiped(input, ['/bin/sh', '-c', command], `command '${command}' returned an error to pipe_write`);
}

/** The kernel takes a volume's update by an ioctl, which Node has not: mtd-utils' own tool does it. */
export function planUbiVolumeWrite(input: PlanInput): PlannedAction {
  const device = textOf(input);
  const argv = ['ubiupdatevol', device, `--size=${resourceOf(input).fileBytes}`, '-'] as const;
  return planPiped(input, argv, `ubi_volume_write failed to write '${device}'`, async () => {
    await access(device, constants.W_OK).catch((cause: unknown) => {
      throw hostError(`ubi_volume_write can't open '${device}': ${systemErrorText(cause)}`, cause);
    });
  });
}

/** The file goes to the standard input of a command. */
function planPiped(
  input: PlanInput,
  argv: Argv,
  failure: string,
  before: () => Promise<void> = async () => undefined,
): PlannedAction {
  return {
    units: resourceOf(input).fileBytes,
    endBytes: 0,
    readsData: true,
    needsUnsafe: true,
    async run(context, data) {
      requireUnsafe(input, context);
      await before();
      if ((await pipeInto(argv, input, context, data)) !== 0) throw hostError(failure);
    },
  };
}

export function planExecute(input: PlanInput): PlannedAction {
  const command = textOf(input);
  return {
    units: blockBytes,
    endBytes: 0,
    readsData: false,
    needsUnsafe: true,
    async run(context) {
      requireUnsafe(input, context);
      const status = await runShell(command, context);
      // fwup tells the raw status of wait(2): the exit code in the high byte, a signal in the low one.
      if (status !== 0) throw hostError(`'${command}' failed with exit status ${status}`);
      context.progress.add(blockBytes);
    },
  };
}

export function planRebootParam(input: PlanInput): PlannedAction {
  const text = input.call.args[0] ?? '';
  return {
    units: blockBytes,
    endBytes: 0,
    readsData: false,
    async run(context) {
      const { rebootParamPath } = context;
      const places = rebootParamPath === undefined ? systemRebootParams : [rebootParamPath];
      await writeFirst(places, Buffer.from(text, 'latin1'), rebootParamPath);
      context.progress.add(blockBytes);
    },
  };
}

const systemRebootParams = ['/run/systemd/reboot-param', '/run/reboot-param'];

async function writeFirst(places: readonly string[], bytes: Buffer, given: string | undefined): Promise<void> {
  for (const path of places) {
    const handle = await open(path, 'w', 0o666).catch(() => undefined);
    if (!handle) continue;
    try {
      await handle.writeFile(bytes);
    } finally {
      await handle.close();
    }
    return;
  }
  throw hostError(`reboot-param can't open ${given === undefined ? 'under `/run`' : `'${given}'`}`);
}

/** Exit status as wait(2) has it. */
export async function runShell(
  command: string,
  { variables, signal }: Pick<ActionContext, 'variables' | 'signal'>,
): Promise<number> {
  const { exitCode, signal: killed } = await execa('/bin/sh', ['-c', command], {
    stdio: ['inherit', 'inherit', 'inherit'],
    reject: false,
    env: { ...variables },
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  });
  if (killed !== undefined) return signalNumbers[killed] ?? 1;
  return (exitCode ?? 127) * 256;
}

const signalNumbers: Record<string, number> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGPIPE: 13, SIGTERM: 15 }; // prettier-ignore

type Argv = readonly [program: string, ...argv: string[]];

/** Gives the exit code; undefined after a signal, or when there is no such program. */
async function pipeInto(
  [program, ...argv]: Argv,
  input: PlanInput,
  { progress, variables, signal }: ActionContext,
  data: AsyncIterable<Buffer>,
): Promise<number | undefined> {
  const child = execa(program, argv, {
    stdin: 'pipe',
    stdout: 'inherit',
    stderr: 'inherit',
    reject: false,
    env: { ...variables },
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  });
  child.stdin.on('error', () => undefined); // a command that reads no more tells by its exit status
  try {
    for await (const bytes of fillHoles(resourceOf(input).map, data)) {
      if (!child.stdin.write(bytes)) await drained(child.stdin, child);
      progress.add(bytes.length);
    }
  } finally {
    child.stdin.end();
    await child;
  }
  return (await child).exitCode;
}

async function drained(stream: NodeJS.WritableStream, child: Promise<unknown>): Promise<void> {
  await Promise.race([new Promise<void>((resolve) => stream.once('drain', () => resolve())), child]);
}

function requireUnsafe({ call }: PlanInput, { unsafe }: ActionContext): void {
  if (!unsafe) throw unsafeRefused(fromByteString(call.name));
}

function textOf({ call }: PlanInput): string {
  return fromByteString(call.args[0] ?? '');
}

function hostError(message: string, cause?: unknown): FlotillaError {
  return new FlotillaError('failed', 'firmware-host-action-failed', message, cause === undefined ? {} : { cause });
}
