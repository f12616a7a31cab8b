import type { FileHandle } from 'node:fs/promises';
import { FlotillaError } from '../error.ts';

export const blockBytes = 512;

export interface Partition {
  /** Bytes from the start of the disk. */
  offset: number;
  length: number;
}

/** The four primary partitions of a DOS partition table, as block 0 tells them: entries of 16 bytes from byte 446, then 55 AA. */
export async function readPartitions(disk: FileHandle): Promise<Partition[]> {
  const block = Buffer.alloc(blockBytes);
  await disk.read(block, 0, blockBytes, 0);
  if (block.readUInt16BE(510) !== 0x55aa) {
    throw new FlotillaError('failed', 'board-no-partition-table', 'block 0 of the disk is no partition table', {
      seen: block.toString('hex', 510),
      expected: '55aa',
      suggestion: "write the disk with a bundle's `complete` task",
    });
  }
  return [0, 1, 2, 3].map((index) => {
    const entry = 446 + index * 16;
    return {
      offset: block.readUInt32LE(entry + 8) * blockBytes,
      length: block.readUInt32LE(entry + 12) * blockBytes,
    };
  });
}

/** All bytes of a partition; what lies past the end of the image file reads as zeros. */
export async function readPartition(disk: FileHandle, { offset, length }: Partition): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await disk.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes;
}
