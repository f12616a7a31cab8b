/** Two images that differ in a share of their bytes, made of a seed. */
import { Dice } from '../../soak/dice.ts';

export const sizeBytes = 64 * 1024 * 1024;
export const changedShare = 0.03;
export const pairKinds = ['edited', 'moved'] as const;
export type PairKind = (typeof pairKinds)[number];

export function imagePair(kind: PairKind, seed: number): { before: Buffer; after: Buffer } {
  const dice = new Dice(seed);
  const before = image(dice);
  return { before, after: kind === 'edited' ? edit(before, dice) : move(before, dice) };
}

/** What a file system holds: packed files (noise), text, and room that is free. */
function piece(length: number, dice: Dice): Buffer {
  const bytes = Buffer.alloc(length);
  const kind = dice.below(100);
  if (kind < 45) for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32LE(dice.below(2 ** 32), at);
  else if (kind < 80) {
    const words = Array.from({ length: 2_000 }, () => `${dice.below(2 ** 32).toString(36)} `);
    for (let at = 0; at < length;) at += Math.max(1, bytes.write(dice.of(words), at));
  }
  return bytes;
}

function image(dice: Dice): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  for (let at = 0; at < sizeBytes;) {
    const length = Math.min(sizeBytes - at, 4_096 + dice.below(400_000));
    piece(length, dice).copy(bytes, at);
    at += length;
  }
  return bytes;
}

function edit(before: Buffer, dice: Dice): Buffer {
  const after = Buffer.from(before);
  const lengths = [16, 64, 400, 4_096, 20_000, 60_000];
  for (let changed = 0; changed < changedShare * sizeBytes;) {
    const length = dice.of(lengths);
    piece(length, dice).copy(after, dice.below(sizeBytes - length));
    changed += length;
  }
  return after;
}

function move(before: Buffer, dice: Dice): Buffer {
  const count = 150;
  const changed = Math.floor((changedShare * sizeBytes) / count);
  const cuts = Array.from({ length: count }, () => dice.below(sizeBytes)).toSorted((left, right) => left - right);
  const parts: Buffer[] = [];
  let at = 0;
  for (const cut of cuts) {
    parts.push(before.subarray(at, Math.max(at, cut)));
    at = Math.max(at, cut);
    const kind = dice.below(10);
    if (kind < 7) parts.push(piece(changed, dice));
    else parts.push(before.subarray(dice.below(sizeBytes - 50_000)).subarray(0, 50_000));
    if (kind >= 4 && kind < 7) at += changed;
  }
  parts.push(before.subarray(at));
  return Buffer.concat(parts).subarray(0, sizeBytes);
}
