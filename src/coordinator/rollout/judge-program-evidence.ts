import type { Evidence } from '../../protocol/event.ts';
import type { EvidenceVerdict } from './judge-evidence.ts';

/**
 * Is an update of the agent's own program proven? Another program than before runs, it is that of the bundle, every check
 * passed, and it has reached the coordinator. It comes over the link of that very program.
 */
export function judgeProgramEvidence(evidence: Evidence | undefined, bundleUuid: string): EvidenceVerdict {
  if (evidence?.after === undefined) return unproven('the device sent no evidence of another program');
  const { before, after, health, coordinatorReached } = evidence;
  if (after.bundleUuid !== bundleUuid)
    return unproven(`it runs ${after.bundleUuid ?? 'the installed agent'}, not ${bundleUuid}`);
  if (before.bundleUuid === bundleUuid) return unproven('the program is the one of before');
  const sick = health.filter(({ ok }) => !ok).map(({ name }) => name);
  if (sick.length > 0) return unproven(`checks failed: ${sick.join(', ')}`);
  if (!health.some(({ name }) => name === 'coordinator') || coordinatorReached !== true)
    return unproven('it does not say that it has reached the coordinator');
  return { proven: true };
}

function unproven(message: string): EvidenceVerdict {
  return { proven: false, message };
}
