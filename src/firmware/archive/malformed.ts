import { FlotillaError } from '../../error.ts';

/** A file that is no .fw archive, or a broken one. `fwup`: how fwup says it. */
export function malformed(message: string, seen?: string, fwup?: string): FlotillaError {
  return new FlotillaError('refused', 'firmware-malformed', message, {
    ...(seen === undefined ? {} : { seen }),
    suggestion: 'fetch or build the bundle again',
    ...(fwup === undefined ? {} : { fwup }),
  });
}

/** The bytes of one member are not what its checksum, its compression or meta.conf says. */
export class MemberDamage extends Error {
  override readonly name = 'MemberDamage';
  /** How fwup (libarchive) says it. */
  readonly fwup: string;

  constructor(message: string, fwup: string) {
    super(message);
    this.fwup = fwup;
  }
}
