/**
 * The fleet's revocation list for others (DESIGN: revocation itself does not wait for it). Made when it is asked for,
 * kept until something is revoked or half of its life is over. Its number is the offset of the event that tells of it:
 * larger than every one before, also after a restart and with a clock that was set back.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import { backdateMs, msPerDay } from '../../pki/profile.ts';
import { formatPem } from '../../pki/key.ts';
import {
  type ListedCertificate,
  type ListSigner,
  reasonCodeOf,
  signRevocationList,
} from '../../pki/sign-revocation-list.ts';
import type { Core } from '../core/core.ts';
import { appendOwnEvent } from '../core/event-operation.ts';
import type { Turn } from '../core/turn.ts';

export interface PublishedList {
  issuer: string;
  number: number;
  thisUpdateMs: number;
  nextUpdateMs: number;
  revokedCount: number;
  pem: string;
  der: Buffer;
  /** Changes with every list. */
  etag: string;
}

export interface ListPublisherOption {
  core: Core;
  clock: Clock;
  issuing: ListSigner & { commonName: string };
  validDays: number;
}

interface Cached {
  list: PublishedList;
  /** Of the coordinator's count of revocations, when it was made. */
  revocations: number;
  renewAtMs: number;
}

export class ListPublisher {
  readonly #option: ListPublisherOption;
  #cached: Cached | undefined;
  #making: Promise<PublishedList> | undefined;

  constructor(option: ListPublisherOption) {
    this.#option = option;
  }

  /** The list as of now. Whoever asks while it is made gets the same. */
  current(): Promise<PublishedList> {
    const cached = this.#cached;
    const { core, clock } = this.#option;
    if (cached !== undefined && cached.revocations === revocationsOf(core) && clock.nowMs() < cached.renewAtMs) {
      return Promise.resolve(cached.list);
    }
    this.#making ??= this.#make().finally(() => (this.#making = undefined));
    return this.#making;
  }

  async #make(): Promise<PublishedList> {
    const { core, issuing, validDays } = this.#option;
    const { draft, revocations, nowMs } = await core.submit((turn) => {
      const thisUpdateMs = Math.max(0, turn.nowMs - backdateMs);
      const nextUpdateMs = turn.nowMs + validDays * msPerDay;
      const revoked = revokedBefore(turn, validDays);
      const told = { issuer: issuing.commonName, revoked: revoked.length, nextUpdateMs };
      appendOwnEvent(turn, { deviceId: '', type: 'coordinator.crl-published', key: '', payload: told });
      const number = turn.state.counters.get('offset') ?? 0;
      return {
        draft: { number, thisUpdateMs, nextUpdateMs, revoked },
        revocations: turn.state.counters.get('revocation') ?? 0,
        nowMs: turn.nowMs,
      };
    });
    const der = signRevocationList(issuing, draft);
    const list: PublishedList = {
      issuer: issuing.commonName,
      number: draft.number,
      thisUpdateMs: draft.thisUpdateMs,
      nextUpdateMs: draft.nextUpdateMs,
      revokedCount: draft.revoked.length,
      pem: formatPem('X509 CRL', der),
      der,
      etag: `"${randomUUID()}"`,
    };
    this.#cached = { list, revocations, renewAtMs: nowMs + (validDays * msPerDay) / 2 };
    return list;
  }
}

function revocationsOf({ state }: Core): number {
  return state.counters.get('revocation') ?? 0;
}

/** In order of serial number. Expired ones stay for one list more (RFC 5280, 3.3). */
function revokedBefore(turn: Turn, validDays: number): ListedCertificate[] {
  const listed: ListedCertificate[] = [];
  for (const { serial, revokedAtMs, revocationReason, notAfterMs } of turn.state.certificates.values()) {
    if (revokedAtMs === undefined || notAfterMs + validDays * msPerDay < turn.nowMs) continue;
    listed.push({ serial, revokedAtMs, reasonCode: reasonCodeOf(revocationReason ?? '') });
  }
  return listed.toSorted((a, b) => (a.serial < b.serial ? -1 : 1));
}
