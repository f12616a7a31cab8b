import type { SeqRange } from './suspect-file.ts';
import type { Turn } from './turn.ts';

/** What a turn carries out. */
export interface Input {
  run(turn: Turn): unknown;
  /** The events that it is about. */
  range?: SeqRange;
  /** In a batch of its own. */
  alone?: true;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Inputs of one batch: one transaction. */
const maxBatch = 512;

/** Up to the next input that has to be alone. */
export function batchLength(queue: readonly Input[]): number {
  if (queue[0]?.alone === true) return 1;
  const end = queue.findIndex(({ alone }, index) => alone === true || index === maxBatch);
  return end < 0 ? queue.length : end;
}
