import { DoorError, maxDepth } from '../../door/index.ts';

/** A value that is so deep that a reader of it, here or at the coordinator, might run out of stack. */
export function refuseDeep(value: unknown): void {
  if (!isDeeper(value, maxDepth)) return;
  throw new DoorError('usage', 'event-unfit', `this value can't travel: more than ${maxDepth} arrays and objects deep`);
}

/** Recurses no further than `depth`, so that no value is too deep to ask. */
function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (depth === 0) return true;
  for (const part of Object.values(value)) if (isDeeper(part, depth - 1)) return true;
  return false;
}
