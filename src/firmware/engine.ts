import { basename, dirname, resolve } from 'node:path';
import { applyBundle as applyBuiltin, type ApplyOption, type ApplyResult } from './apply/apply.ts';
import { replaceFile } from './archive/atomic-file.ts';
import { buildBundle as buildBuiltin, type BuildOption } from './archive/build.ts';
import { requireKeys } from './archive/bundle-head.ts';
import type { BundleSummary } from './archive/bundle-summary.ts';
import { inspectBundle as inspectBuiltin } from './archive/inspect.ts';
import { readPrivateKey } from './archive/key.ts';
import { signBundle as signBuiltin, type SignOption } from './archive/sign.ts';
import { verifyBundle as verifyBuiltin, type VerifyOption } from './archive/verify.ts';
import { FlotillaError } from '../error.ts';
import { fwupApplyArgv, fwupBuildArgv, fwupMetadataArgv, fwupSignArgv, fwupVerifyArgv } from './fwup-argv.ts';
import { findFwup, requireFwup, runFwup } from './fwup-process.ts';

/**
 * `builtin`: this package. `fwup`: the program on PATH. `auto`: builtin, and fwup (where it is on PATH) for what
 * builtin says it does not support; what a signature or a hash refuses is refused, no second opinion is asked.
 */
export const engines = ['auto', 'builtin', 'fwup'] as const;
export type Engine = (typeof engines)[number];

interface EngineChoice {
  engine?: Engine;
}

async function choose<T>(
  engine: Engine | undefined,
  builtin: () => Promise<T>,
  fwup: (program: string) => Promise<T>,
): Promise<T> {
  if (engine === 'fwup') return fwup(await requireFwup());
  try {
    return await builtin();
  } catch (error) {
    const unsupported = error instanceof FlotillaError && error.code === 'firmware-unsupported';
    const program = unsupported && engine !== 'builtin' ? await findFwup() : undefined;
    if (program === undefined) throw error;
    return fwup(program);
  }
}

/** Builds a .fw archive from a configuration; `outputPath` is replaced only by a whole, synced file. */
export async function buildBundle(option: BuildOption & EngineChoice): Promise<BundleSummary> {
  return choose(
    option.engine,
    () => buildBuiltin(option),
    async (program) => {
      if (option.privateKeyPath !== undefined) await readPrivateKey(option.privateKeyPath); // its mode and shape
      const configPath = resolve(option.configPath);
      const key = option.privateKeyPath === undefined ? {} : { privateKeyPath: resolve(option.privateKeyPath) };
      const level = option.compressionLevel === undefined ? {} : { compressionLevel: option.compressionLevel };
      await replaceFile(option.outputPath, (temporary) => {
        const argv = fwupBuildArgv({
          configPath: basename(configPath),
          outputPath: resolve(temporary),
          ...key,
          ...level,
        });
        const date = option.sourceDateEpochSeconds;
        const epoch = date === undefined ? {} : { SOURCE_DATE_EPOCH: String(date) };
        return runFwup(program, argv, {
          cwd: option.workingDirectory ?? dirname(configPath),
          env: { ...option.variables, ...epoch },
        });
      });
      return inspectBuiltin(option.outputPath);
    },
  );
}

/** Signs a bundle, or signs it again with another key. The UUID stays. */
export async function signBundle(option: SignOption & EngineChoice): Promise<BundleSummary> {
  return choose(
    option.engine,
    () => signBuiltin(option),
    async (program) => {
      await readPrivateKey(option.privateKeyPath);
      const date = option.sourceDateEpochSeconds;
      await replaceFile(option.outputPath, (temporary) =>
        runFwup(program, fwupSignArgv(option.inputPath, temporary, option.privateKeyPath), {
          env: date === undefined ? {} : { SOURCE_DATE_EPOCH: String(date) },
        }),
      );
      return inspectBuiltin(option.outputPath);
    },
  );
}

/** What a bundle says about itself, unproved. With the engine fwup, fwup has to be able to read it too. */
export async function inspectBundle(path: string, { engine }: EngineChoice = {}): Promise<BundleSummary> {
  if (engine === 'fwup') await runFwup(await requireFwup(), fwupMetadataArgv(path));
  return inspectBuiltin(path);
}

/** Proves origin and integrity. With the engine fwup, both have to say yes. */
export async function verifyBundle(option: VerifyOption & EngineChoice): Promise<BundleSummary> {
  requireKeys(option.publicKeys);
  const summary = await verifyBuiltin(option);
  if (option.engine === 'fwup') await runFwup(await requireFwup(), fwupVerifyArgv(option.path, option.publicKeys));
  return summary;
}

/** Applies a bundle to a disk or an image. A stream can be read once only, so there `auto` is the builtin engine. */
export async function applyBundle(option: ApplyOption & EngineChoice): Promise<ApplyResult> {
  const engine = option.engine !== 'fwup' && option.path === undefined ? 'builtin' : option.engine;
  return choose(
    engine,
    () => applyBuiltin(option),
    (program) => applyWithFwup(program, option),
  );
}

/** fwup does not say which task it chose or how much it wrote: the title asked for, and the sum of the resources. */
async function applyWithFwup(program: string, option: ApplyOption): Promise<ApplyResult> {
  requireKeys(option.publicKeys);
  const { path, stream, signal } = option;
  if (path === undefined) {
    throw new FlotillaError('usage', 'fwup-needs-file', 'the engine fwup applies files only', {
      suggestion: 'write the bundle to a file first, or use the builtin engine',
      seen: stream ? 'a stream' : 'nothing',
    });
  }
  const summary = await inspectBuiltin(path);
  await runFwup(program, fwupApplyArgv({ ...option, path }), {
    env: { ...option.variables },
    signal,
    onLine(line) {
      if (/^\d+$/.test(line)) option.onProgress?.(Number(line));
      else if (line.startsWith('fwup: ')) option.onInfo?.(line.slice(6));
    },
  });
  const bytesWritten = summary.resources.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  return { taskName: option.task, uuid: summary.uuid, bytesWritten };
}
