import type { Evidence, Running } from '../../protocol/event.ts';

export type EvidenceVerdict = { proven: true } | { proven: false; message: string };

export interface EvidenceQuestion {
  evidence: Evidence | undefined;
  bundleUuid: string;
  /** The boot id that the coordinator knew when it made the offer. */
  bootIdAtOffer: string | undefined;
  /** The last `flotilla.boot` of the device, as the coordinator stored it. */
  lastBoot: Running | undefined;
}

/**
 * Is this update proven? Everything must hold: another boot, the other slot, the release's own UUID read from the slot
 * that runs, every health check, the slot's bytes where they were read back, and the coordinator's own record of that
 * boot. A word of success without it is a failure.
 */
export function judgeEvidence({ evidence, bundleUuid, bootIdAtOffer, lastBoot }: EvidenceQuestion): EvidenceVerdict {
  if (evidence?.after === undefined) return unproven('the device sent no evidence of a restart');
  const { before, after, health } = evidence;
  if (after.bundleUuid !== bundleUuid)
    return unproven(`it runs ${after.bundleUuid ?? 'an unknown bundle'}, not ${bundleUuid}`);
  if (after.bootId === '' || after.bootId === before.bootId) return unproven(`the boot id is still ${before.bootId}`);
  if (after.bootId === bootIdAtOffer) return unproven('the boot id is that of the time of the offer');
  if (before.slot === undefined || after.slot === undefined)
    return unproven('the slot of before or after is not known');
  if (before.slot === after.slot) return unproven(`the slot is still ${after.slot}`);
  const sick = health.filter(({ ok }) => !ok).map(({ name }) => name);
  if (sick.length > 0) return unproven(`health checks failed: ${sick.join(', ')}`);
  if (evidence.slotDigestMatches === false) return unproven("the slot's bytes are not the bundle's");
  if (lastBoot === undefined) return unproven('the coordinator has no record of a boot of this device');
  if (lastBoot.bootId !== after.bootId)
    return unproven(`the last boot on record is ${lastBoot.bootId}, not ${after.bootId}`);
  if (lastBoot.bundleUuid !== bundleUuid)
    return unproven(`the boot on record ran ${lastBoot.bundleUuid ?? 'an unknown bundle'}`);
  if (lastBoot.slot !== after.slot)
    return unproven(`the boot on record was slot ${lastBoot.slot ?? 'unknown'}, not ${after.slot}`);
  return { proven: true };
}

function unproven(message: string): EvidenceVerdict {
  return { proven: false, message };
}
