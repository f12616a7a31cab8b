/**
 * The disk of the example product as its boot ROM would see it: a second reading of its partition table and U-Boot
 * environment that shares nothing with the engine, so that it can say what the engine left there.
 */
import { crc32 } from 'node:zlib';

const blockBytes = 512;
/** As in firmware/fwup.conf. */
const environmentBlocks = [1024, 1280];
const environmentBytes = 16 * blockBytes;
const slotPartition = { a: 1, b: 2 } as const;
export type Slot = keyof typeof slotPartition;

export const otherSlot = (slot: Slot): Slot => (slot === 'a' ? 'b' : 'a');

/** Bytes of a primary partition; what an image file ends before is zeros. */
export function partitionOf(disk: Buffer, index: number): Buffer {
  const entry = 446 + index * 16;
  const start = disk.readUInt32LE(entry + 8) * blockBytes;
  return disk.subarray(start, start + disk.readUInt32LE(entry + 12) * blockBytes);
}

export const slotOf = (disk: Buffer, slot: Slot): Buffer => partitionOf(disk, slotPartition[slot]);

/** Two copies: u32 CRC32 of what follows the flags, u8 flags that count up, `name=value` texts. The newer valid one holds. */
export function environmentOf(disk: Buffer): Map<string, string> | undefined {
  const [first, second] = environmentBlocks.map((block) => {
    const copy = disk.subarray(block * blockBytes, block * blockBytes + environmentBytes);
    const isValid = copy.readUInt32LE(0) === crc32(copy.subarray(5));
    return isValid ? { flags: copy.readUInt8(4), text: copy.toString('latin1', 5) } : undefined;
  });
  const ahead = first && second ? (second.flags - first.flags) & 0xff : 0;
  const newest = first === undefined || (ahead > 0 && ahead < 0x80) ? second : first;
  if (newest === undefined) return undefined;
  const end = newest.text.indexOf('\0\0');
  const pairs = newest.text.slice(0, Math.max(0, end)).split('\0').filter((pair) => pair !== ''); // prettier-ignore
  return new Map(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
}

/** Whether a slot begins with exactly this image. */
export function holds(disk: Buffer, slot: Slot, image: Buffer): boolean {
  return slotOf(disk, slot).subarray(0, image.length).equals(image);
}
