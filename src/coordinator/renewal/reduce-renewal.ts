/**
 * A new certificate for one device, as the coordinator sees it: a table without IO. A row exists while there is
 * something to be done; once the device has come in with the new certificate, the proof stands on the certificate.
 */
import { FlotillaError } from '../../error.ts';
import type { RenewalCause, RenewalRow, RenewalState } from '../../store/row.ts';

export type RenewalInput =
  /** An operator, a rollout, or a rotation wants it. */
  | { kind: 'want'; cause: RenewalCause }
  /** The device is sent `certificate.renew`. */
  | { kind: 'ask' }
  | { kind: 'request'; renewalId: string; csr: string; authoritySha256: string; renews: string }
  | { kind: 'issue'; serial: string }
  /** Not signed, or not taken by the device, which goes on with what it has. */
  | { kind: 'fail'; reason: string };

/** Rows: the state, `none` for no row; columns: what happened; cells: the next state. What has no cell is illegal. */
export const renewalTable: Readonly<
  Record<RenewalState | 'none', Partial<Record<RenewalInput['kind'], RenewalState>>>
> = {
  none: { want: 'wanted', request: 'requested' },
  wanted: { want: 'wanted', ask: 'asked', request: 'requested', fail: 'failed' },
  asked: { want: 'asked', ask: 'asked', request: 'requested', fail: 'failed' },
  requested: { want: 'requested', request: 'requested', issue: 'issued', fail: 'failed' },
  issued: { want: 'issued', ask: 'asked', request: 'requested', fail: 'failed' },
  failed: { want: 'wanted', ask: 'asked', request: 'requested', fail: 'failed' },
};

/** How many renewals may be under way, how many certificates a device gets in a day, how long a replaced one is still taken. */
export interface RenewalPolicy {
  inFlight: number;
  perDay: number;
  overlapMs: number;
}

export const defaultRenewalPolicy: RenewalPolicy = { inFlight: 32, perDay: 6, overlapMs: 86_400_000 };

/** After this many questions the device is not asked by itself any more. */
export const maxAsks = 5;
/** A device that was asked and has not come so far within this holds up nobody else. */
const inFlightMs = 120_000;
/** Asked, and nothing came of it: asked again. */
const askAgainMs = 3_600_000;
const firstRetryMs = 300_000;

/** @throws FlotillaError `renewal-transition` for what the table does not have */
export function reduceRenewal(
  before: RenewalRow | undefined,
  deviceId: string,
  input: RenewalInput,
  nowMs: number,
): RenewalRow {
  const from = before?.state ?? 'none';
  const state = renewalTable[from][input.kind];
  if (state === undefined) {
    throw new FlotillaError('ours', 'renewal-transition', `${input.kind} can't happen to a renewal`, {
      seen: from,
      expected: Object.keys(renewalTable[from]).join(', '),
    });
  }
  const { cause = 'due', asks = 0 } = before ?? {};
  const next = { deviceId, state, cause, asks, sinceMs: nowMs };
  switch (input.kind) {
    case 'want':
      if (before !== undefined && before.state === state) return before;
      return { ...next, cause: input.cause, asks: 0 };
    case 'ask':
      return { ...next, asks: asks + 1 };
    case 'request': {
      const { renewalId, csr, authoritySha256, renews } = input;
      return { ...next, renewalId, csr, authoritySha256, renews };
    }
    case 'issue': {
      const { csr: _, ...rest } = before!;
      return { ...rest, ...next, serial: input.serial };
    }
    case 'fail':
      return { ...next, reason: input.reason.slice(0, 512) };
  }
}

/** Should the device be asked now, if it is there and there is room? What the device began by itself, it also ends. */
export function mayAsk({ state, cause, asks, sinceMs }: RenewalRow, nowMs: number): boolean {
  if (state === 'wanted') return true;
  if (cause === 'due' || asks >= maxAsks) return false;
  // Whether it is tried again is the rollout's to say.
  if (cause === 'rollout' && state === 'failed') return false;
  if (state === 'failed') return nowMs - sinceMs >= firstRetryMs * 4 ** Math.max(0, asks - 1);
  return state !== 'requested' && nowMs - sinceMs >= askAgainMs;
}

export function isInFlight({ state, sinceMs }: RenewalRow, nowMs: number): boolean {
  return state !== 'wanted' && state !== 'failed' && nowMs - sinceMs < inFlightMs;
}

/** Of a certificate's renewal: as long as the one before it, and at least a day. */
export function renewedLifeMs({ notBeforeMs, notAfterMs }: { notBeforeMs: number; notAfterMs: number }): number {
  return Math.max(86_400_000, notAfterMs - notBeforeMs);
}
