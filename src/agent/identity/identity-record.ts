/**
 * The state machine of a device's identity: a table without IO. The caller puts the record on disk together with its
 * event before it does anything of the new state. In every state the configured files are a valid pair, so an agent of
 * an earlier version, which knows nothing of this, starts with them.
 *
 *   settled    the configured pair is all there is
 *   requested  a candidate key is on disk, its request in the log (or on its way to the recovery port)
 *   trying     the candidate's certificate is on disk, too; dials show it, the configured pair is still the old one
 */
import { FlotillaError } from '../../error.ts';

export const identityStates = ['settled', 'requested', 'trying'] as const;
export type IdentityState = (typeof identityStates)[number];

export interface RenewalReason {
  code: string;
  message: string;
}

export interface IdentityRecord {
  state: IdentityState;
  /** The last candidate's number; its folder. */
  generation: number;
  /** Of the renewal under way. */
  renewalId?: string;
  cause?: 'due' | 'asked';
  via?: 'link' | 'recovery';
  /** The certificate that is to be replaced, as it stood at the configured path. */
  ofSerial?: string;
  /** Of the candidate. */
  serial?: string;
  /** When the coordinator was last asked, by its time; absent: not on the link. */
  askedAtMs?: number;
  /** Dials with the candidate that failed, and those of them where the other end had something against it. */
  dials: number;
  refusals: number;
  /** The last of them. */
  reason?: RenewalReason;
  /** Renewals in a row that came to nothing; the next waits longer each time. */
  failures: number;
  /** By the coordinator's time: not again before it, unless the coordinator asks. */
  notBeforeMs?: number;
}

export const newIdentity: IdentityRecord = { state: 'settled', generation: 0, dials: 0, refusals: 0, failures: 0 };

export type IdentityHappening =
  /** A key was made and is on disk. */
  | { type: 'begun'; renewalId: string; cause: 'due' | 'asked'; ofSerial: string }
  /** The request stands in the log; again, where no answer came. */
  | { type: 'asked'; nowMs: number }
  /** The certificate is on disk. */
  | { type: 'installed'; serial: string; via: 'link' | 'recovery' }
  /** The coordinator will not sign, or what it sent does not fit. */
  | { type: 'refused'; reason: RenewalReason; retryAfterMs: number; nowMs: number }
  | { type: 'dial-failed'; isRefusal: boolean; reason: RenewalReason }
  /** A session lives with the candidate, and the configured paths lead to it. */
  | { type: 'proven' }
  /** The candidate is given up for the old pair. */
  | { type: 'failed'; reason: RenewalReason; nowMs: number }
  /** The candidate is lost, or somebody has put another pair in place: it is of no use. */
  | { type: 'abandoned' };
export type IdentityHappeningType = IdentityHappening['type'];

/** Rows: the state; columns: what happened; cells: the next state. What has no cell is illegal. */
export const identityTable: Readonly<Record<IdentityState, Partial<Record<IdentityHappeningType, IdentityState>>>> = {
  settled: { begun: 'requested' },
  requested: { asked: 'requested', installed: 'trying', refused: 'settled', abandoned: 'settled' },
  trying: { 'dial-failed': 'trying', proven: 'settled', failed: 'settled', abandoned: 'settled' },
};

/** After so many dials that failed the old pair is tried once, to learn whether it is the candidate or the network. */
export const dialsBeforeProbe = 3;
/** The other end has said so often that it does not want the candidate: it is given up without a probe. */
export const maxRefusals = 9;

const firstWaitMs = 300_000;
const maxWaitMs = 86_400_000;

/** How long after the nth renewal in a row that came to nothing the next may begin. */
export function waitAfterFailure(failures: number): number {
  return Math.min(maxWaitMs, firstWaitMs * 4 ** Math.max(0, failures - 1));
}

/** @throws FlotillaError `identity-transition` for what the table does not have; the record is as it was */
export function moveIdentity(record: IdentityRecord, happening: IdentityHappening): IdentityRecord {
  const state = identityTable[record.state][happening.type];
  if (state === undefined) {
    throw new FlotillaError('ours', 'identity-transition', `${happening.type} can't happen to an identity`, {
      seen: record.state,
      expected: Object.keys(identityTable[record.state]).join(', '),
    });
  }
  const { generation, failures } = record;
  const settled = { state, generation, dials: 0, refusals: 0 };
  switch (happening.type) {
    case 'begun': {
      const { renewalId, cause, ofSerial } = happening;
      return { ...settled, generation: generation + 1, failures, renewalId, cause, ofSerial };
    }
    case 'asked':
      return { ...record, askedAtMs: happening.nowMs };
    case 'installed':
      return { ...record, state, serial: happening.serial, via: happening.via };
    case 'refused': {
      const wait = Math.max(happening.retryAfterMs, waitAfterFailure(failures + 1));
      return { ...settled, failures: failures + 1, notBeforeMs: happening.nowMs + wait, reason: happening.reason };
    }
    case 'dial-failed': {
      const { isRefusal, reason } = happening;
      return { ...record, dials: record.dials + 1, refusals: record.refusals + (isRefusal ? 1 : 0), reason };
    }
    case 'failed': {
      const notBeforeMs = happening.nowMs + waitAfterFailure(failures + 1);
      return { ...settled, failures: failures + 1, notBeforeMs, reason: happening.reason };
    }
    case 'proven':
      return { ...settled, failures: 0 };
    case 'abandoned':
      return { ...settled, failures };
  }
}

/** When a certificate is to be renewed: at `share` of its life, up to a twentieth of it sooner or later by its serial. */
export function renewalDueMs(
  { notBeforeMs, notAfterMs, serialHex }: { notBeforeMs: number; notAfterMs: number; serialHex: string },
  share: number,
): number {
  const dice = Number.parseInt(serialHex.slice(-8), 16) / 2 ** 32;
  return notBeforeMs + (notAfterMs - notBeforeMs) * share * (1 + (dice - 0.5) / 10);
}
