import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { FlotillaError } from '../../error.ts';
import type { BundleSummary } from '../../firmware/index.ts';
import type { BundleOffer } from '../../protocol/request.ts';
import { dataObstacle } from './data-guard.ts';
import type { SlotImage, UpdateReason } from './update.ts';

export interface BundleProofOption {
  path: string;
  offer: BundleOffer;
  /** Hex SHA-256 of the file, which may be a delta of the bundle. */
  sha256: string;
  product: string;
  platform: string;
  publicKeys: readonly Buffer[];
}

export interface BundleCheckOption extends BundleProofOption {
  task: string;
  destination: string;
  /** Where the agent keeps its state. */
  state: string;
  /** As in UpdatePolicy. */
  activeVariable?: string | undefined;
}

/** With the first bundle: a device that waits for one does without the memory of the engine. */
export const loadEngine = () => import('../../firmware/index.ts');

/** `lost`: the disk gives back other bytes than the verified parts that were written to it. */
export type NotProven = { refused: UpdateReason } | { lost: true };
export type BundleCheck = { images: Record<string, SlotImage[]> } | NotProven;

/**
 * The device's own judgement of a whole bundle: one of its keys signed it, every byte that decides what is written is
 * intact, it is for this product and platform, it is the one that was offered, and no task of it writes where the agent's
 * state is.
 */
export function checkBundle(option: BundleCheckOption): Promise<BundleCheck> {
  return withProvenBundle(option, async () => {
    const obstacle = await dataObstacle(option, await loadEngine());
    if (obstacle) return { refused: obstacle };
    return { images: await slotImages(option) };
  });
}

/** `use` is called with a bundle that is signed, intact, for this kind of device, and the one that was offered. */
export async function withProvenBundle<Result>(
  option: BundleProofOption,
  use: (bundle: BundleSummary) => Promise<Result>,
): Promise<Result | NotProven> {
  const { path, offer, sha256, publicKeys } = option;
  if ((await fileSha256(path)) !== sha256) return { lost: true };
  const { verifyBundle } = await loadEngine();
  try {
    const bundle = await verifyBundle({ path, publicKeys });
    const difference = bundleDifference(option, bundle);
    if (difference) return { refused: difference };
    return await use(bundle);
  } catch (error) {
    if (!(error instanceof FlotillaError) || error.fault === 'ours' || error.code === 'firmware-file-unreadable')
      throw error;
    const seen = error.detail.seen === undefined ? '' : `: ${error.detail.seen}`;
    return { refused: { code: 'bundle-untrusted', message: `bundle ${offer.bundleUuid}: ${error.message}${seen}` } };
  }
}

function bundleDifference(
  { offer, product, platform }: BundleProofOption,
  bundle: { uuid: string; product: string; platform: string },
): UpdateReason | undefined {
  if (bundle.uuid !== offer.bundleUuid) {
    return {
      code: 'bundle-not-offered',
      message: `the bundle's UUID is ${bundle.uuid} instead of ${offer.bundleUuid}`,
    };
  }
  return wrongKind({ product, platform }, bundle);
}

async function fileSha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(1 << 18); // one for all: a stream's would be garbage of the bundle's size
  await using file = await open(path, 'r');
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
    if (bytesRead === 0) return hash.digest('hex');
    hash.update(buffer.subarray(0, bytesRead));
  }
}

/** A bundle (or an offer) that is for other devices. An empty platform is not said, so it does not count. */
export function wrongKind(
  device: { product: string; platform: string },
  bundle: { product: string; platform?: string },
): UpdateReason | undefined {
  if (bundle.product !== device.product) {
    return { code: 'wrong-product', message: `for product "${bundle.product}", this device is a "${device.product}"` };
  }
  if (bundle.platform && bundle.platform !== device.platform) {
    return {
      code: 'wrong-platform',
      message: `for platform "${bundle.platform}", this device is a "${device.platform}"`,
    };
  }
  return undefined;
}

/** The task of a slot writes that slot's images: from the signed text of the bundle. */
async function slotImages({
  path,
  publicKeys,
  task,
  activeVariable,
}: BundleCheckOption): Promise<Record<string, SlotImage[]>> {
  const images: Record<string, SlotImage[]> = {};
  const { readTaskWrites } = await loadEngine();
  for (const write of await readTaskWrites(path, publicKeys)) {
    if (!write.task.startsWith(task) || write.images.length === 0) continue;
    const slot = activeVariable === undefined ? write.task.slice(task.length + 1) : write.variables[activeVariable];
    if (!slot) continue;
    images[slot] = write.images.map(({ runs, blake2b256 }) => ({ runs, blake2b256 }));
  }
  return images;
}
