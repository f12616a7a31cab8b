import { momentOf, parseSelector, selectIds, type GroupSource, type Target } from '../../../src/selector/index.ts';
import { FlotillaError } from '../../../src/error.ts';

/** A device for tests; grains and tags default to none. */
export function device(id: string, grains: Record<string, unknown> = {}, tags: Record<string, unknown> = {}): Target {
  return { id, grains, tags };
}

/** 26 November 2026, noon. */
export const nowMs = Date.UTC(2026, 10, 26, 12);

/** A moment at which one device is all there is. */
export const moment = momentOf(nowMs, () => []);

export function select(text: string, fleet: Iterable<Target>, groups: Record<string, string> = {}): string[] {
  return selectIds(parseSelector(text, groupsOf(groups)), fleet, nowMs);
}

export function groupsOf(groups: Record<string, string>): GroupSource {
  return {
    expression: (name) => (Object.hasOwn(groups, name) ? groups[name] : undefined),
    names: () => Object.keys(groups),
  };
}

/** The refusal of a malformed expression; fails the test when it is accepted. */
export function refusal(text: string, groups: Record<string, string> = {}): FlotillaError {
  try {
    parseSelector(text, groupsOf(groups));
  } catch (error) {
    if (error instanceof FlotillaError) return error;
    throw error;
  }
  throw new Error(`accepted: ${text}`);
}
