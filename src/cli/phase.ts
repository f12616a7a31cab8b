import type { RolloutRequest } from '../client/contract/index.ts';
import { FlotillaError } from '../error.ts';

export type PhaseRequest = NonNullable<RolloutRequest['phases']>[number];

/** `SIZE[@SELECTOR]`: "2", "25%", "rest", "2@I@ring:canary". The soak holds after each phase. */
export function parsePhase(text: string, soakSeconds?: number): PhaseRequest {
  const [, size, selector] = /^(\d+%?|rest)(?:@(.+))?$/s.exec(text) ?? [];
  if (size === undefined) {
    throw new FlotillaError('usage', 'phase-malformed', 'this is no phase', {
      seen: JSON.stringify(text),
      expected: 'a count (2), a share (25%) or rest; with @SELECTOR only matching devices are in it (2@I@ring:canary)',
    });
  }
  return {
    size,
    ...(selector === undefined ? {} : { selector }),
    ...(soakSeconds === undefined ? {} : { soakSeconds }),
  };
}
