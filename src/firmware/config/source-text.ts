/**
 * A text in the configuration language and the place of things in it. Texts are *byte strings*: one UTF-16 unit for
 * each byte (latin1), because fwup passes bytes through untouched and a signed meta.conf must not change by a bit.
 */
import { FlotillaError, type ErrorDetail, type Position } from '../../error.ts';

/** One character for each byte. `toByteString` and `fromByteString` are the only ways in and out. */
export type ByteString = string;

export function toByteString(text: string): ByteString {
  return Buffer.from(text, 'utf8').toString('latin1');
}

export function fromByteString(bytes: ByteString): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

export interface SourceText {
  /** As shown in messages; `meta.conf` for the one inside an archive. */
  readonly name: string;
  /** Where relative paths in it start. */
  readonly directory: string;
  readonly text: ByteString;
  /** A person's file may be mended; an archive's meta.conf can only be refused. */
  readonly origin: 'file' | 'archive';
}

/** A place: byte offset in a source. */
export interface Place {
  readonly source: SourceText;
  readonly offset: number;
}

export function positionOf({ source, offset }: Place): Position {
  const before = source.text.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  const line = before.split('\n').length;
  const column = Array.from(fromByteString(before.slice(lineStart))).length + 1;
  return { file: source.name, line, column };
}

function excerptOf({ source, offset }: Place): string {
  const lineStart = source.text.lastIndexOf('\n', offset - 1) + 1;
  const lineEnd = source.text.indexOf('\n', offset);
  const line = source.text.slice(lineStart, lineEnd < 0 ? undefined : lineEnd).replace(/\r$/, '');
  const indent = fromByteString(source.text.slice(lineStart, offset)).replace(/[^\t]/g, ' ');
  return `${fromByteString(line)}\n${indent}^`;
}

/** An error at a place: `firmware-config` for a person's file, `firmware-malformed` for a meta.conf. */
export function configError(place: Place, message: string, detail: ErrorDetail = {}): FlotillaError {
  const located: ErrorDetail = { position: positionOf(place), excerpt: excerptOf(place), ...detail };
  if (place.source.origin === 'file') return new FlotillaError('usage', 'firmware-config', message, located);
  return new FlotillaError('refused', 'firmware-malformed', `meta.conf: ${message}`, {
    ...located,
    fwup: detail.fwup ?? 'Unexpected error parsing meta.conf',
  });
}

/** Known to fwup, not (yet) to the builtin engine. Refused, never skipped. */
export function unsupportedError(place: Place, what: string): FlotillaError {
  const built = place.source.origin === 'file';
  return new FlotillaError(
    built ? 'usage' : 'refused',
    'firmware-unsupported',
    `${what} is not supported by the builtin firmware engine`,
    {
      position: positionOf(place),
      excerpt: excerptOf(place),
      suggestion: built
        ? 'leave it out, or build with fwup installed and --engine fwup'
        : 'apply this bundle with fwup',
    },
  );
}
