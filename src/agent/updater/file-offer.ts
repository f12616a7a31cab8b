/** A bundle that somebody brought to the device, as an offer of itself: the same table, trust and proof as over the link. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { Link } from '../link/port.ts';
import { FlotillaError, systemErrorCode } from '../../error.ts';
import type { BundleOffer, UpdateOffer } from '../../protocol/request.ts';
import { loadEngine } from './bundle-check.ts';
import type { PartSource } from './download.ts';

const partBytes = 262_144;
/** Nobody takes it back: it ends by the limits of its states. */
const neverMs = 10 * 365 * 86_400_000;

/** @throws FlotillaError when the agent can't read the file, or it is no bundle; nothing of it is believed yet */
export async function readFileOffer(path: string, rolloutId: string, nowMs: number): Promise<UpdateOffer> {
  await requireReadable(path);
  const { inspectBundle } = await loadEngine();
  const { product, version, platform, uuid, sha256, fileBytes } = await inspectBundle(path);
  const partSha256 = await partHashes(path);
  const bundle: BundleOffer = {
    product,
    version,
    platform,
    bundleUuid: uuid,
    sizeBytes: fileBytes,
    sha256,
    partBytes,
    partSha256,
  };
  return { rolloutId, bundle, expiresAtMs: nowMs + neverMs };
}

/** Parts out of that file. It may be pulled out at any time: then they can't be read, and the update fails. */
export function fileSource(path: string): PartSource & Pick<Link, 'status' | 'onChange'> {
  return {
    status: () => ({ state: 'live', sinceMs: 0 }),
    onChange: () => () => undefined,
    async fetch({ offset, length }) {
      await using file = await open(path, 'r');
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
      return buffer.subarray(0, bytesRead);
    },
  };
}

async function requireReadable(path: string): Promise<void> {
  try {
    await using file = await open(path, 'r');
    if ((await file.stat()).isFile()) return;
  } catch (cause) {
    throw new FlotillaError('usage', 'update-file-unreadable', `the agent can't read ${path}`, {
      seen: systemErrorCode(cause) ?? String(cause),
      expected: 'a bundle (.fw)',
      suggestion:
        'under systemd the agent sees neither /home nor /tmp: use the mount of the stick, or copy it to /var/lib/flotilla',
      cause,
    });
  }
  throw new FlotillaError('usage', 'update-file-unreadable', `${path} is not a file`, { expected: 'a bundle (.fw)' });
}

async function partHashes(path: string): Promise<string[]> {
  const hashes: string[] = [];
  const buffer = Buffer.alloc(partBytes);
  await using file = await open(path, 'r');
  for (;;) {
    let filled = 0;
    while (filled < partBytes) {
      const { bytesRead } = await file.read(buffer, filled, partBytes - filled, null);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    if (filled === 0) return hashes;
    hashes.push(createHash('sha256').update(buffer.subarray(0, filled)).digest('hex'));
    if (filled < partBytes) return hashes;
  }
}
