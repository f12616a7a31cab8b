import type { Section } from './section.ts';
import { FlotillaError, type ErrorDetail } from '../../error.ts';
import { configError, fromByteString, type ByteString, type Place } from './source-text.ts';

/** What meta.conf says about one file-resource. */
export interface ResourceRecord {
  readonly name: ByteString;
  /** Alternating data and hole lengths in bytes, data first. */
  readonly map: readonly number[];
  /** Bytes in the archive: the data runs. */
  readonly dataBytes: number;
  /** Bytes of the file, holes included. */
  readonly fileBytes: number;
  /** 64 lower-case hex digits: BLAKE2b-256 of the data runs. */
  readonly blake2b256: string;
}

export const maxMapEntries = 256;

/** What is wrong with a resource itself, not with the text that names it: fwup tells the two apart. */
export function resourceError(place: Place, message: string, detail: ErrorDetail = {}): FlotillaError {
  const { detail: located } = configError(place, message, detail);
  return new FlotillaError('usage', 'firmware-resource-unusable', message, located);
}

/** Reads a file-resource of a meta.conf; refuses a missing hash, negative or absurd lengths. */
export function resourceRecord(section: Section): ResourceRecord {
  const hash = section.text('blake2b-256') ?? '';
  if (!/^[0-9a-f]{64}$/.test(hash)) {
    throw configError(section.placeOf('blake2b-256'), `invalid blake2b hash for '${fromByteString(section.title)}'`, {
      expected: 'blake2b-256 with 64 lower-case hex digits',
      fwup: `invalid blake2b hash for '${fromByteString(section.title)}'`,
    });
  }
  const map = section.integers('length');
  const total = map.reduce((sum, length) => sum + length, 0);
  if (map.length > maxMapEntries || map.some((length) => length < 0) || !Number.isSafeInteger(total)) {
    throw configError(section.placeOf('length'), `invalid length of '${fromByteString(section.title)}'`);
  }
  const dataBytes = map.filter((_, index) => index % 2 === 0).reduce((sum, length) => sum + length, 0);
  return { name: section.title, map, dataBytes, fileBytes: total, blake2b256: hash };
}

/** fwup's rules for names, checked when a bundle is made: a name becomes a member of the archive. */
export function checkResourceName(section: Section): void {
  const { title, place } = section;
  const shown = fromByteString(title);
  const fail = (message: string, fwup = message): never => {
    throw resourceError(place, message, { fwup });
  };
  if (title === '') fail('a resource needs a name', "resource name can't be empty");
  if (title === '/meta.conf' || title === '/meta.conf.ed25519') fail(`resources can't be named ${title}`);
  if (title === '/data' || title.startsWith('/data/')) {
    fail(
      'use a normal resource name rather than one in /data',
      'use a normal resource name rather than specifying /data',
    );
  }
  if (title.endsWith('/')) fail(`resource name '${shown}' can't end in a '/'`);
  if (title.length + 6 > 512) fail('the resource name is too long', `resource name '${shown}' is too long`);
  if (title.split('/').includes('..') || Buffer.from(title, 'latin1').some((byte) => byte < 0x20))
    fail(`resource name '${shown}' is not safe`);
}

export function memberNameOf(resourceName: ByteString): ByteString {
  return resourceName.startsWith('/') ? resourceName.slice(1) : `data/${resourceName}`;
}

export function resourceNameOf(memberName: ByteString): ByteString {
  return memberName.startsWith('data/') ? memberName.slice(5) : `/${memberName}`;
}
