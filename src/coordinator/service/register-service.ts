import { randomBytes, X509Certificate } from 'node:crypto';
import type { AuthorityView, Challenge, EndedAuthority, RegisterAuthority } from '../../client/contract/authority.ts';
import { chooseProfile } from '../../config/profile-file.ts';
import { FlotillaError } from '../../error.ts';
import { provedNonce, readAuthorityChain, validateAuthorityName } from '../../pki/register-authority.ts';
import type { RegisteredProfile } from '../../pki/certificate-profile.ts';
import type { AuthorityRow, RegistrationRow } from '../../store/index.ts';
import { endAuthority, pushAuthorities, putAuthority } from '../core/authority-operation.ts';
import { appendOwnEvent } from '../core/event-operation.ts';
import type { Turn } from '../core/turn.ts';
import { authorityOf, fingerprintOf, lineOf, liveOf, viewAuthority } from './authority-service.ts';
import { audit, type ServiceContext } from './context.ts';

/** It may take a manufacturer days to have something signed. */
const challengeMs = 7 * 86_400_000;
const maxChallenges = 64;
/** 48 hex digits: fits into a CN, which has 64. */
const nonceBytes = 24;
/** Each is looked at in every handshake, and named in it. */
const maxRegistered = 32;

/** A number that the owner of an authority has to sign; good for one registration. */
export function createChallenge(context: ServiceContext): Promise<Challenge> {
  return context.core.submit((turn) => {
    const { state, nowMs } = turn;
    for (const { nonce, expiresAtMs } of state.challenges.values()) if (expiresAtMs <= nowMs) useUp(turn, nonce);
    if (state.challenges.size >= maxChallenges) {
      throw new FlotillaError('refused', 'authority-challenges', 'too many challenges are open', {
        seen: String(state.challenges.size),
        suggestion: 'use one of them, or wait: each is gone after 7 days',
      });
    }
    const nonce = randomBytes(nonceBytes).toString('hex');
    const challenge = { nonce, actor: context.actor, createdAtMs: nowMs, expiresAtMs: nowMs + challengeMs };
    turn.set(state.challenges, nonce, challenge);
    turn.write({ kind: 'challenge', challenge });
    audit(turn, context, 'authority.challenge', nonce, { expiresAtMs: challenge.expiresAtMs });
    return { nonce, expiresAtMs: challenge.expiresAtMs };
  });
}

function useUp(turn: Turn, nonce: string): void {
  turn.delete(turn.state.challenges, nonce);
  turn.write({ kind: 'challenge-removed', nonce });
}

/** Trusts somebody else's authority from now on; or gives one that is trusted another profile. */
export async function registerAuthority(context: ServiceContext, request: RegisterAuthority): Promise<AuthorityView> {
  const { core, clock } = context;
  const { id, profile: profileName, proof } = request;
  validateAuthorityName(id);
  const profile = chooseProfile(await context.loadProfiles(), 'registered', profileName);
  const { certificate, pem } = readAuthorityChain(request.certificate, clock.nowMs());
  const fingerprintSha256 = fingerprintOf(certificate);
  return core.submit((turn) => {
    const { state, nowMs } = turn;
    const before = state.authorities.get(id);
    if (before !== undefined && before.fingerprintSha256 !== fingerprintSha256) {
      throw taken(`the name ${id} is of another authority`, before.fingerprintSha256, 'a name of its own: --name NAME');
    }
    refuseTwin(state.authorities.values(), id, { subject: certificate.subject, fingerprintSha256 });
    if (before?.state !== 'trusted') {
      const open = [...state.challenges.values()].filter(({ expiresAtMs }) => expiresAtMs > nowMs);
      const nonce =
        proof &&
        provedNonce(
          certificate,
          proof,
          open.map(({ nonce: one }) => one),
        );
      if (nonce === undefined || nonce === '') throw unproved(proof !== undefined, open.length);
      useUp(turn, nonce);
    }
    const registered = [...state.authorities.values()].filter((row) => row.state === 'trusted' && row.id !== id);
    if (registered.length >= maxRegistered) {
      throw taken('so many authorities are registered already', String(maxRegistered), 'flotilla ca remove NAME');
    }
    const row: AuthorityRow = {
      id,
      kind: 'registered',
      state: 'trusted',
      pem,
      fingerprintSha256,
      createdAtMs: before?.createdAtMs ?? nowMs,
      activeAtMs: before?.state === 'trusted' ? (before.activeAtMs ?? nowMs) : nowMs,
      registration: registrationOf(profileName, profile),
    };
    putAuthority(turn, row);
    pushAuthorities(turn);
    const payload = { authority: id, fingerprintSha256, profile: profileName, by: context.actor };
    appendOwnEvent(turn, { deviceId: '', type: 'coordinator.authority-registered', key: id, payload });
    audit(turn, context, 'authority.register', id, { ...payload, subject: lineOf(certificate.subject) });
    return viewAuthority(state, row, nowMs);
  });
}

/** Two of one name would be told apart by their signatures alone, in every handshake. */
function refuseTwin(
  authorities: Iterable<AuthorityRow>,
  id: string,
  { subject, fingerprintSha256 }: { subject: string; fingerprintSha256: string },
): void {
  for (const row of authorities) {
    if (row.id === id || row.pem === '' || row.state === 'removed') continue;
    if (row.fingerprintSha256 === fingerprintSha256) {
      throw taken(`this authority is registered as ${row.id}`, row.id, 'one name for each authority');
    }
    if (new X509Certificate(row.pem).subject === subject)
      throw taken(`${row.id} has the same subject`, lineOf(subject), 'another subject');
  }
}

export function removeAuthority(context: ServiceContext, id: string): Promise<EndedAuthority> {
  return context.core.submit((turn) => {
    const row = authorityOf(turn.state, id);
    if (row.kind !== 'registered' || row.state !== 'trusted') {
      throw new FlotillaError('refused', 'authority-state', `${id} can't be removed`, {
        seen: `${row.kind}, ${row.state}`,
        expected: 'a registered authority that is trusted',
        suggestion: row.kind === 'issuing' ? 'flotilla ca rotate, then flotilla ca retire' : 'flotilla ca list',
      });
    }
    const cutConnections = liveOf(turn.state, id);
    const ended = endAuthority(turn, row, { by: context.actor });
    audit(turn, context, 'authority.remove', id, { cutConnections });
    return { authority: viewAuthority(turn.state, ended, turn.nowMs), cutConnections };
  });
}

function registrationOf(profile: string, { kind: _, tags, keyKinds, ...rest }: RegisteredProfile): RegistrationRow {
  return { profile, ...rest, tags: { ...tags }, keyKinds: [...keyKinds] };
}

function unproved(given: boolean, open: number): FlotillaError {
  return new FlotillaError(
    'refused',
    'authority-unproved',
    'nothing proves that the owner of this authority takes part',
    {
      seen: given ? `a proof for none of ${open} open challenges` : 'no proof',
      expected: 'a certificate with the nonce as CN that the authority signed, or its signature over the nonce',
      suggestion: 'flotilla ca register --challenge, then flotilla ca register CERTIFICATE --proof FILE',
    },
  );
}

function taken(message: string, seen: string, expected: string): FlotillaError {
  return new FlotillaError('refused', 'authority-taken', message, { seen, expected, suggestion: 'flotilla ca list' });
}
