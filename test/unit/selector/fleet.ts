import { parseSelector, selectIds, type Target } from '../../../src/selector/index.ts';
import { FlotillaError } from '../../../src/error.ts';

/** A device for tests; grains and tags default to none. */
export function device(id: string, grains: Record<string, unknown> = {}, tags: Record<string, unknown> = {}): Target {
  return { id, grains, tags };
}

export function select(text: string, fleet: Iterable<Target>): string[] {
  return selectIds(parseSelector(text), fleet);
}

/** The refusal of a malformed expression; fails the test when it is accepted. */
export function refusal(text: string): FlotillaError {
  try {
    parseSelector(text);
  } catch (error) {
    if (error instanceof FlotillaError) return error;
    throw error;
  }
  throw new Error(`accepted: ${text}`);
}
