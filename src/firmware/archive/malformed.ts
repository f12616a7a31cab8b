import { FlotillaError } from '../../error.ts';

/** A file that is no .fw archive, or a broken one. */
export function malformed(message: string, seen?: string): FlotillaError {
  return new FlotillaError('refused', 'firmware-malformed', message, {
    ...(seen === undefined ? {} : { seen }),
    suggestion: 'fetch or build the bundle again',
  });
}

/** The bytes of one member are not what its checksum, its compression or meta.conf says. */
export class MemberDamage extends Error {
  override readonly name = 'MemberDamage';
}
