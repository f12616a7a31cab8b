/** From a bundle that came over the link to a program that the launcher starts. */
import { open, stat, truncate } from 'node:fs/promises';
import type { BundleSummary } from '../../firmware/index.ts';
import type { BundleOffer } from '../../protocol/request.ts';
import { loadEngine, withProvenBundle, type NotProven } from '../updater/bundle-check.ts';
import { maxProgramBytes, programName, programProduct, programTask } from './program-bundle.ts';
import { requireRoom } from '../updater/download.ts';
import type { ProgramFolder } from './program-folder.ts';

export interface PlaceOption {
  /** The bundle. */
  path: string;
  offer: BundleOffer;
  publicKeys: readonly Buffer[];
}

/** Is it signed, whole, the one that was offered, and an agent? */
export function checkProgramBundle(option: PlaceOption): Promise<{ program: BundleSummary } | NotProven> {
  return withProvenBundle(proof(option), async (bundle): Promise<{ program: BundleSummary } | NotProven> => {
    const [resource, ...others] = bundle.resources;
    const fits =
      resource?.name === programName && others.length === 0 && bundle.tasks.some((task) => task === programTask);
    if (fits && resource.lengthBytes > 0 && resource.lengthBytes <= maxProgramBytes) return { program: bundle };
    const message = `an agent's bundle holds ${programName} alone, of at most ${maxProgramBytes} bytes, and a task "${programTask}"`;
    return { refused: { code: 'bundle-no-agent', message } };
  });
}

/**
 * Puts the program in its folder and on trial; the bundle is proven once more, and what stands on the disk is compared
 * with what was signed before the launcher may see it.
 */
export async function placeProgram(
  folder: ProgramFolder,
  option: PlaceOption,
  signal: AbortSignal,
): Promise<{ placed: true } | NotProven> {
  const checked = await checkProgramBundle(option);
  if (!('program' in checked)) return checked;
  const { bundleUuid } = option.offer;
  const resource = checked.program.resources[0]!;
  const file = await folder.prepare(bundleUuid);
  try {
    await requireRoom(folder.path, resource.lengthBytes);
    await writeProgram(file, resource.lengthBytes, option, signal);
    if ((await blake2bOf(file)) === resource.blake2b256) {
      await folder.place(bundleUuid);
      return { placed: true };
    }
  } catch (error) {
    // What is half written must not be what fills the disk.
    await folder.discard(bundleUuid);
    throw error;
  }
  await folder.discard(bundleUuid);
  const message = `the task "${programTask}" does not write ${programName} as it was signed`;
  return { refused: { code: 'bundle-no-agent', message } };
}

async function writeProgram(
  file: string,
  lengthBytes: number,
  { path, publicKeys }: PlaceOption,
  signal: AbortSignal,
): Promise<void> {
  const { applyBundle } = await loadEngine();
  // What is written is a disk to the engine: whole blocks.
  const destinationSizeBytes = Math.ceil(lengthBytes / 512) * 512;
  await applyBundle({ path, destinationPath: file, destinationSizeBytes, task: programTask, publicKeys, signal });
  if ((await stat(file)).size > lengthBytes) await truncate(file, lengthBytes);
}

function proof({ path, offer, publicKeys }: PlaceOption) {
  return { path, offer, sha256: offer.sha256, publicKeys, product: programProduct, platform: '' };
}

async function blake2bOf(path: string): Promise<string> {
  const { createBLAKE2b } = await import('hash-wasm'); // for this alone
  const hash = await createBLAKE2b(256);
  await using file = await open(path, 'r');
  const buffer = Buffer.alloc(1 << 18);
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
    if (bytesRead === 0) return hash.digest('hex');
    hash.update(buffer.subarray(0, bytesRead));
  }
}
