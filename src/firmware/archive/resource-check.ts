import { FlotillaError } from '../../error.ts';
import type { ResourceRecord } from '../config/resource.ts';
import { fromByteString } from '../config/source-text.ts';
import { createBlake2b256 } from './blake2b.ts';
import { MemberDamage } from './malformed.ts';
import type { ZipMember, ZipReader } from './zip-reader.ts';

const vcdiffMagic = Buffer.from([0xd6, 0xc3, 0xc4]);

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
  const hash = await createBlake2b256();
  let size = 0;
  try {
    for await (const chunk of zip.data(member, record.dataBytes)) {
      if (size === 0) refusePatch(chunk, member, record);
      size += chunk.length;
      hash.update(chunk);
      yield chunk;
    }
  } catch (error) {
    throw error instanceof MemberDamage ? resourceDamaged(name, error.message) : error;
  }
  if (size !== record.dataBytes) throw resourceDamaged(name, `${size} bytes`, `${record.dataBytes} bytes`);
  const digest = hash.digest('hex');
  if (digest !== record.blake2b256) throw resourceDamaged(name, `blake2b-256 ${digest}`, record.blake2b256);
}

/** A member whose known size is not the resource's is a patch, if it looks like one. */
function refusePatch(chunk: Buffer, member: ZipMember, record: ResourceRecord): void {
  const sizeDiffers = member.sizeBytes !== undefined && member.sizeBytes !== record.dataBytes;
  if (!sizeDiffers || !chunk.subarray(0, 3).equals(vcdiffMagic)) return;
  throw new FlotillaError(
    'refused',
    'firmware-delta-unsupported', // not firmware-unsupported: at apply, other members may have been written already
    `${fromByteString(record.name)} is a delta patch, which the builtin firmware engine does not support`,
    { suggestion: 'use the full bundle' },
  );
}

export function resourceDamaged(name: string, seen: string, expected?: string): FlotillaError {
  return new FlotillaError('refused', 'firmware-resource-damaged', `the resource '${name}' is damaged`, {
    seen,
    ...(expected === undefined ? {} : { expected }),
    suggestion: 'fetch or build the bundle again',
  });
}
