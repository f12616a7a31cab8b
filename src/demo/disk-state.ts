import { open } from 'node:fs/promises';
import { createBLAKE2b } from 'hash-wasm';
import { readEnvironment, readLoader, readSlotPartition } from '../board/boot-medium.ts';
import type { Partition } from '../board/partition-table.ts';
import type { Release } from '../client/contract/index.ts';
import type { DiskState } from './demo-report.ts';

/** What stands on a disk now, digests taken of its bytes. */
export async function readDiskState(diskPath: string, releases: readonly Release[]): Promise<DiskState> {
  const loader = await readLoader(diskPath);
  const environment = await readEnvironment(diskPath, loader);
  const state: DiskState = {
    activeSlot: environment.get('active_slot') ?? '',
    uuids: {},
    digests: {},
    onTrial: environment.get('upgrade_available') === '1',
  };
  for (const { name } of loader.slots) {
    const uuid = environment.get(`${name}.uuid`);
    if (uuid !== undefined) state.uuids[name] = uuid;
    const { offset } = await readSlotPartition(diskPath, loader, name);
    const digests: Record<string, string> = (state.digests[name] = {});
    for (const release of releases) {
      digests[release.version] = await digestOf(diskPath, offset, rootfsOf(release).lengthBytes);
    }
  }
  return state;
}

export function rootfsOf(release: Release): Release['resources'][number] {
  const found = release.resources.find(({ name }) => name === 'rootfs.img');
  if (found === undefined) throw new Error(`release ${release.id} has no rootfs.img`);
  return found;
}

/** Bytes of a partition up to the last one that is not zero. */
export async function writtenBytes(diskPath: string, { offset, length }: Partition): Promise<number> {
  const disk = await open(diskPath, 'r');
  try {
    const chunk = Buffer.alloc(1 << 16);
    let last = 0;
    for (let at = 0; at < length; at += chunk.length) {
      const { bytesRead } = await disk.read(chunk, 0, Math.min(chunk.length, length - at), offset + at);
      if (bytesRead === 0) break;
      let end = bytesRead;
      while (end > 0 && chunk[end - 1] === 0) end -= 1;
      if (end > 0) last = at + end;
    }
    return last;
  } finally {
    await disk.close();
  }
}

/** BLAKE2b-256, lower-case hex; bytes past the end of the file count as zeros. */
async function digestOf(path: string, offset: number, length: number): Promise<string> {
  const hash = await createBLAKE2b(256);
  const disk = await open(path, 'r');
  try {
    const chunk = Buffer.alloc(1 << 20);
    for (let done = 0; done < length;) {
      const want = Math.min(chunk.length, length - done);
      const { bytesRead } = await disk.read(chunk, 0, want, offset + done);
      if (bytesRead === 0) {
        hash.update(Buffer.alloc(want));
        done += want;
      } else {
        hash.update(chunk.subarray(0, bytesRead));
        done += bytesRead;
      }
    }
  } finally {
    await disk.close();
  }
  return hash.digest('hex');
}
