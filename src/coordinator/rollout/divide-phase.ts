import type { RolloutRequest } from '../../client/contract/rollout.ts';
import type { Gate } from '../../client/contract/rollout-policy.ts';
import { FlotillaError } from '../../error.ts';

export interface PlannedPhase {
  name?: string;
  ids: string[];
  soakSeconds: number;
  gate?: Gate;
}

type PhaseRequest = NonNullable<RolloutRequest['phases']>[number];

export interface DivideContext {
  connected(deviceId: string): boolean;
  /** Ids among the targets that match the selector of a phase. */
  select(selector: string): ReadonlySet<string>;
  /** The phase of each target as a plan has it, by number; left out: they are divided anew. */
  placed?: ReadonlyMap<string, number>;
}

const defaultPhases: readonly PhaseRequest[] = [{ size: '1' }, { size: '25%' }, { size: 'rest' }];
/** Devices of a refusal that are named. */
const maxNamed = 5;

/** The remainder is in the last phase; phases that got nobody are left out. @throws FlotillaError `usage` */
export function dividePhases(
  { phases: requested = defaultPhases as PhaseRequest[] }: RolloutRequest,
  targets: readonly string[],
  context: DivideContext,
): PlannedPhase[] {
  const { placed } = context;
  let left = placed === undefined ? connectedFirst(targets, context) : targets.toSorted();
  let number = 0;
  const phases = requested.map(({ name, size, selector, soakSeconds, gate }, index): PlannedPhase => {
    const fits = selector === undefined ? undefined : context.select(selector);
    const candidates = fits === undefined ? left : left.filter((id) => fits.has(id));
    const isLast = index === requested.length - 1;
    const asked = sizeOf(size, targets.length);
    const wanted = Math.min(candidates.length, isLast ? candidates.length : asked);
    // A plan has named who comes in this phase: as many as the policy wants, of those that may.
    const chosen = placed === undefined ? candidates : candidates.filter((id) => placed.get(id) === number);
    const ids = chosen.slice(0, wanted);
    const taken = new Set(ids);
    left = left.filter((id) => !taken.has(id));
    if (wanted > 0) number += 1;
    return {
      ...(name === undefined ? {} : { name }),
      ids,
      soakSeconds: soakSeconds ?? 0,
      ...(gate === undefined ? {} : { gate }),
    };
  });
  if (left.length > 0) {
    throw new FlotillaError('usage', 'rollout-phase-too-narrow', 'some targets fit no phase', {
      seen: `${left.slice(0, maxNamed).join(', ')}${left.length > maxNamed ? ` and ${left.length - maxNamed} more` : ''}`,
      expected: 'a last phase without a selector, for the rest',
      suggestion: 'add --phase rest',
    });
  }
  return phases.filter(({ ids }) => ids.length > 0);
}

function connectedFirst(targets: readonly string[], { connected }: DivideContext): string[] {
  return targets
    .map((id) => ({ id, away: connected(id) ? 0 : 1 }))
    .toSorted((a, b) => a.away - b.away || (a.id < b.id ? -1 : 1))
    .map(({ id }) => id);
}

/** A count, a share of all targets (at least one), or the rest. */
function sizeOf(size: string, targets: number): number {
  if (size === 'rest') return targets;
  const value = Number.parseInt(size, 10);
  const isShare = size.endsWith('%');
  if (value >= 1 && !isShare) return value;
  if (value >= 1 && value <= 100) return Math.max(1, Math.floor((targets * value) / 100));
  throw new FlotillaError(
    'usage',
    'rollout-phase-empty',
    value === 0 ? 'a phase of no devices proves nothing' : 'a phase is at most all devices',
    { seen: size, expected: 'a count above 0, a percentage from 1% to 100%, or rest' },
  );
}

/** Gates that can't be passed as the phases are. */
export function requirePhases(phases: readonly PlannedPhase[]): void {
  for (const [index, { gate, ids }] of phases.entries()) {
    const place = `the gate of phase ${index + 1}`;
    if (gate?.minSample !== undefined && gate.minSample > ids.length) {
      throw new FlotillaError('usage', 'rollout-gate', `${place} can never be passed`, {
        seen: `minSample ${gate.minSample}, and ${ids.length} devices in the phase`,
        expected: 'at most as many as there are devices in it',
      });
    }
    if (gate?.approval !== undefined && index === phases.length - 1) {
      throw new FlotillaError('usage', 'rollout-gate', `${place} asks for an approval, and no phase comes after it`, {
        seen: `approval: ${gate.approval}`,
        expected: 'an approval in a phase before the last',
      });
    }
  }
}
