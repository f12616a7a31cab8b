/**
 * Bearer tokens: `flotilla_<id>_<secret>`. The id (16 hex digits) finds the row and is no secret; the secret is 256
 * random bits, of which the store has the SHA-256 alone: of so many bits a fast hash is not guessed back.
 */
import { createHash, timingSafeEqual } from 'node:crypto';

const pattern = /^flotilla_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/;

/** @param secret 32 bytes */
export function formatToken(id: string, secret: Uint8Array): string {
  return `flotilla_${id}_${Buffer.from(secret).toString('base64url')}`;
}

/** What an `Authorization` header brings; undefined when it is no token of ours. */
export function parseBearer(header: string | undefined): { id: string; secret: Buffer } | undefined {
  const [, text] = /^Bearer ([\x21-\x7e]{1,256})$/i.exec(header ?? '') ?? [];
  const [, id, secret] = pattern.exec(text ?? '') ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret: Buffer.from(secret, 'base64url') };
}

export function hashSecret(secret: Uint8Array): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** Takes the same time whatever the secret is. */
export function provesToken(secret: Uint8Array, proofSha256: string): boolean {
  const expected = Buffer.from(proofSha256, 'hex');
  const given = createHash('sha256').update(secret).digest();
  return expected.length === given.length && timingSafeEqual(given, expected);
}
