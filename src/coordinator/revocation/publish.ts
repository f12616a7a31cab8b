/**
 * The fleet's revocation lists for others (the coordinator itself does not wait for them): one of each authority whose
 * key is here. Made when they are asked for, kept until something is revoked, an authority comes or goes, or half of
 * their life is over. Their number is the offset of the event that tells of them: larger than every one before, also
 * after a restart and with a clock that was set back.
 */
import type { Clock } from '../../clock.ts';
import { formatPem } from '../../pki/key.ts';
import { backdateMs, msPerDay } from '../../pki/profile.ts';
import {
  type ListDraft,
  type ListedCertificate,
  type ListSigner,
  reasonCodeOf,
  signRevocationList,
} from '../../pki/sign-revocation-list.ts';
import type { Core } from '../core/core.ts';
import type { CoreState } from '../core/core-state.ts';
import { appendOwnEvent } from '../core/event-operation.ts';
import type { Turn } from '../core/turn.ts';

export interface PublishedList extends Omit<ListDraft, 'revoked'> {
  /** Id of the authority that signed it, and its CN. */
  authority: string;
  issuer: string;
  revokedCount: number;
  pem: string;
  der: Buffer;
}

/** The lists of all authorities; that of the one that signs now comes first. */
export interface PublishedLists {
  lists: PublishedList[];
  /** Changes whenever the lists do. */
  etag: string;
  madeAtMs: number;
}

type Signer = ListSigner & { id: string; commonName: string };

export interface ListPublisherOption {
  core: Core;
  clock: Clock;
  authorities: { readonly active: Signer; signer(id: string): Signer | undefined };
  validDays: number;
}

interface Cached {
  published: PublishedLists;
  /** What they were made of: see basisOf. */
  basis: string;
  renewAtMs: number;
}

export class ListPublisher {
  readonly #option: ListPublisherOption;
  #cached: Cached | undefined;
  #making: Promise<PublishedLists> | undefined;

  constructor(option: ListPublisherOption) {
    this.#option = option;
  }

  /** The lists as of now. Whoever asks while they are made gets the same. */
  async current(): Promise<PublishedLists> {
    for (;;) {
      const cached = this.#cached;
      const { core, clock } = this.#option;
      if (cached?.basis === this.#basisOf(core.state) && clock.nowMs() < cached.renewAtMs) return cached.published;
      this.#making ??= this.#make().finally(() => (this.#making = undefined));
      await this.#making;
    }
  }

  async #make(): Promise<PublishedLists> {
    const { core, validDays } = this.#option;
    const made = await core.submit((turn) => {
      const signers = this.#signers(turn.state);
      const drafts = signers.map((signer) => ({ signer, draft: draftList(turn, signer, validDays) }));
      return { drafts, basis: this.#basisOf(turn.state), nowMs: turn.nowMs };
    });
    const lists = made.drafts.map(({ signer, draft }) => {
      const { revoked, ...facts } = draft;
      const der = signRevocationList(signer, draft);
      const told = { authority: signer.id, issuer: signer.commonName, revokedCount: revoked.length };
      return { ...told, ...facts, pem: formatPem('X509 CRL', der), der };
    });
    const etag = `"${lists.map(({ number }) => number).join('.')}"`;
    const published = { lists, etag, madeAtMs: made.nowMs };
    this.#cached = { published, basis: made.basis, renewAtMs: made.nowMs + (validDays * msPerDay) / 2 };
    return published;
  }

  #signers({ authorities: rows }: CoreState): Signer[] {
    const { authorities } = this.#option;
    const { active } = authorities;
    const others = [...rows.values()].filter(({ id, state }) => id !== active.id && state === 'overlap');
    return [active, ...others.flatMap(({ id }) => authorities.signer(id) ?? [])];
  }

  #basisOf(state: CoreState): string {
    return [state.counters.get('revocation') ?? 0, ...this.#signers(state).map(({ id }) => id)].join();
  }
}

/** Its certificates that are revoked, by serial number. Expired ones stay for one list more (RFC 5280, 3.3). */
function draftList(turn: Turn, { id, commonName }: Signer, validDays: number): ListDraft {
  const revoked = [...revokedCertificates(turn.state)]
    .filter(({ issuer, notAfterMs }) => issuer === id && notAfterMs + validDays * msPerDay >= turn.nowMs)
    .map(({ serial, revokedAtMs, reason }) => ({ serial, revokedAtMs, reasonCode: reasonCodeOf(reason) }));
  revoked.sort((a, b) => (a.serial < b.serial ? -1 : 1));
  const thisUpdateMs = Math.max(0, turn.nowMs - backdateMs);
  const nextUpdateMs = turn.nowMs + validDays * msPerDay;
  const payload = { authority: id, issuer: commonName, revoked: revoked.length, nextUpdateMs };
  appendOwnEvent(turn, { deviceId: '', type: 'coordinator.crl-published', key: id, payload });
  return { number: turn.state.counters.get('offset') ?? 0, thisUpdateMs, nextUpdateMs, revoked };
}

interface RevokedCertificate extends Omit<ListedCertificate, 'reasonCode'> {
  issuer: string;
  notAfterMs: number;
  reason: string;
}

/** Of devices, and of operators. */
function* revokedCertificates({ certificates, operators }: CoreState): Generator<RevokedCertificate> {
  for (const { serial, issuer, notAfterMs, revokedAtMs, revocationReason = '' } of certificates.values()) {
    if (revokedAtMs !== undefined) yield { serial, issuer, notAfterMs, revokedAtMs, reason: revocationReason };
  }
  for (const { credentials } of operators.values()) {
    for (const { id, kind, issuer = firstAuthority, notAfterMs, revokedAtMs, revocationReason = '' } of credentials) {
      if (kind !== 'certificate' || revokedAtMs === undefined) continue;
      yield { serial: id, issuer, notAfterMs, revokedAtMs, reason: revocationReason };
    }
  }
}

/** Which one signed what `flotilla init` made. */
const firstAuthority = 'issuing-1';
