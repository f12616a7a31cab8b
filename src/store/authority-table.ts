import type { AuthorityRow, ChallengeRow } from './row.ts';
import type { Statements } from './statement.ts';

export function writeAuthority(statements: Statements, authority: AuthorityRow): void {
  const { id, ...document } = authority;
  statements.get('INSERT OR REPLACE INTO authority VALUES (?,?)').run(id, JSON.stringify(document));
}

export function readAuthorities(statements: Statements): AuthorityRow[] {
  return statements
    .get('SELECT * FROM authority')
    .all()
    .map((row) => ({ id: String(row['id']), ...JSON.parse(String(row['document'])) }));
}

export function writeChallenge(statements: Statements, challenge: ChallengeRow): void {
  const { nonce, actor, createdAtMs, expiresAtMs } = challenge;
  statements
    .get('INSERT OR REPLACE INTO authority_challenge VALUES (?,?,?,?)')
    .run(nonce, actor, createdAtMs, expiresAtMs);
}

export function removeChallenge(statements: Statements, nonce: string): void {
  statements.get('DELETE FROM authority_challenge WHERE nonce = ?').run(nonce);
}

export function readChallenges(statements: Statements): ChallengeRow[] {
  return statements
    .get('SELECT * FROM authority_challenge')
    .all()
    .map((row) => ({
      nonce: String(row['nonce']),
      actor: String(row['actor']),
      createdAtMs: Number(row['created_ms']),
      expiresAtMs: Number(row['expires_ms']),
    }));
}
