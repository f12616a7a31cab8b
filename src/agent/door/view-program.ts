import type { DeviceUpdate, UpdateRecord } from '../../door/index.ts';
import { programEvidenceOf, type ProgramUpdate } from '../program/program-update.ts';

/** An update of the agent's own program, as programs see it. */
export function viewProgram(update: ProgramUpdate): DeviceUpdate {
  const { updateId, bundle, state, attempts, enteredAtMs, downloadedBytes, reason } = update;
  return {
    rolloutId: updateId,
    source: 'agent',
    bundleUuid: bundle.bundleUuid,
    version: bundle.version,
    state,
    attempt: attempts[state] ?? 1,
    sinceMs: enteredAtMs,
    sizeBytes: bundle.sizeBytes,
    downloadedBytes,
    needsApproval: false,
    ...(reason === undefined ? {} : { reason }),
  };
}

export function recordProgram(update: ProgramUpdate): UpdateRecord {
  return { ...viewProgram(update), evidence: programEvidenceOf(update) };
}
