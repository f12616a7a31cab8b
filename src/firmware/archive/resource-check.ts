import { FlotillaError } from '../../error.ts';
import type { ResourceRecord } from '../config/resource.ts';
import { fromByteString } from '../config/source-text.ts';
import { MemberDamage } from './malformed.ts';
import { hashResource } from './resource-hash.ts';
import type { ZipMember, ZipReader } from './zip-reader.ts';

/** How fwup says that a resource is not what meta.conf says: it depends on who reads. */
export interface DamageWords {
  readonly length: (bytes: number) => string;
  readonly hash: string;
}

/**
 * The data of a resource, passed on while its length, CRC and BLAKE2b hash are checked. Throws after the last chunk
 * when they do not hold, so nothing may be final before this generator has ended.
 */
export async function* checkedResource(
  zip: ZipReader,
  member: ZipMember,
  record: ResourceRecord,
): AsyncGenerator<Buffer, void> {
  const name = fromByteString(record.name);
  yield* checkedData(memberData(zip, member, record.dataBytes, name), record, {
    length: () => `ZIP data length mismatch for ${name}`,
    hash: `Detected blake2b digest mismatch for ${name}`,
  });
}

/** The bytes of a member that is a resource's data, or a delta. */
export async function* memberData(
  zip: ZipReader,
  member: ZipMember,
  maxBytes: number,
  name: string,
): AsyncGenerator<Buffer, void> {
  try {
    yield* zip.data(member, maxBytes);
  } catch (error) {
    throw error instanceof MemberDamage ? resourceDamaged(name, error.message, undefined, error.fwup) : error;
  }
}

/** Passes chunks on; at their end their length and hash must be those of the record. */
export async function* checkedData(
  chunks: AsyncIterable<Buffer>,
  record: ResourceRecord,
  words: DamageWords,
): AsyncGenerator<Buffer, void> {
  const name = fromByteString(record.name);
  await using hash = await hashResource(record.dataBytes);
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    await hash.update(chunk);
    yield chunk;
  }
  if (size !== record.dataBytes) {
    throw resourceDamaged(name, `${size} bytes`, `${record.dataBytes} bytes`, words.length(size));
  }
  const digest = await hash.digest();
  if (digest !== record.blake2b256) {
    throw resourceDamaged(name, `blake2b-256 ${digest}`, record.blake2b256, words.hash);
  }
}

/**
 * Whether a member is not a resource's data but a delta that makes it: its size is known and not that of the data.
 * (A delta of exactly that size is taken for the data, by fwup as well.) Sparse resources have no deltas.
 */
export function isDelta(member: ZipMember, record: ResourceRecord): boolean {
  return record.map.length <= 1 && member.sizeBytes !== undefined && member.sizeBytes !== record.dataBytes;
}

export function resourceDamaged(name: string, seen: string, expected?: string, fwup?: string): FlotillaError {
  return new FlotillaError('refused', 'firmware-resource-damaged', `the resource '${name}' is damaged`, {
    seen,
    ...(expected === undefined ? {} : { expected }),
    suggestion: 'fetch or build the bundle again',
    ...(fwup === undefined ? {} : { fwup }),
  });
}

export function resourceMissing(name: string): FlotillaError {
  return resourceDamaged(name, 'it is not in the archive', undefined, `Resource ${name} not found in archive`);
}
