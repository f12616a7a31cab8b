/** One row of a manifest: its columns, and what each may hold. */
import type { ConfigProblem } from '../../config/problem.ts';
import { isDeviceId } from '../../pki/profile.ts';

/** What is known of a device before it has ever been seen. */
export interface ManifestEntry {
  deviceId: string;
  /** What stands as serialNumber in the subject of its request. */
  hardwareSerial?: string;
  /** SHA-256 of its public key (SubjectPublicKeyInfo, DER), 64 hex digits. */
  keySha256?: string;
  tags: Record<string, string>;
  /** Grains that it may report with this value only. */
  grains: Record<string, string>;
  /** It waits for an operator although it is known. */
  pending?: true;
}

/** Where a value stands, for what is said of it. */
export interface Cell {
  text: string;
  line: number;
  column: number;
}

/** A row before it is judged: its cells by column name. */
export type RawRow = Map<string, Cell & { name: Cell }>;

export const columns = ['id', 'serial', 'key', 'pending'] as const;
const tagPattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;
/** What can stand in the subject of a request (X.520). */
const serialPattern = /^[A-Za-z0-9 '()+,./:=?-]{1,64}$/;
const grainPattern = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
const maxValueLength = 256;
export const maxManifestEntries = 100_000;

export interface PlacedEntry {
  entry: ManifestEntry;
  places: Map<'id' | 'serial' | 'key', Cell>;
}

export function readEntry(row: RawRow, problems: ConfigProblem[]): PlacedEntry {
  const entry: ManifestEntry = { deviceId: '', tags: {}, grains: {} };
  const places: PlacedEntry['places'] = new Map();
  const wrong = (cell: Cell, key: string, message: string, expected: string): void => {
    problems.push({ key, line: cell.line, column: cell.column, message, seen: JSON.stringify(cell.text), expected });
  };
  for (const [column, cell] of row) {
    const { text } = cell;
    const [kind, ...rest] = column.split('.');
    const name = rest.join('.');
    if (column === 'id') {
      if (isDeviceId(text)) [entry.deviceId] = [text, places.set('id', cell)];
      else wrong(cell, 'id', 'this is no device id', 'one to 63 of a-z 0-9 . _ - with a letter or digit first');
    } else if (column === 'serial') {
      if (serialPattern.test(text)) [entry.hardwareSerial] = [text, places.set('serial', cell)];
      else if (text !== '')
        wrong(cell, 'serial', 'this is no serial number', "one to 64 of A-Z a-z 0-9, space and '()+,-./:=?");
    } else if (column === 'key') {
      const hex = text.toLowerCase().replaceAll(':', '');
      if (/^[0-9a-f]{64}$/.test(hex)) [entry.keySha256] = [hex, places.set('key', cell)];
      else if (text !== '')
        wrong(cell, 'key', 'this is no key fingerprint', 'SHA-256 of the public key: 64 hex digits');
    } else if (column === 'pending') {
      if (['true', 'yes', '1'].includes(text)) entry.pending = true;
      else if (!['', 'false', 'no', '0'].includes(text))
        wrong(cell, 'pending', 'pending is not valid', 'true or false');
    } else if (kind === 'tag' || kind === 'tags') {
      if (!tagPattern.test(name)) wrong(cell.name, column, 'this is no tag', 'a-z 0-9 . _ -, at most 63');
      else if (text.length > maxValueLength) wrong(cell, column, 'the tag is too long', `at most ${maxValueLength}`);
      else if (text !== '') entry.tags[name] = text;
    } else if (kind === 'grain' || kind === 'grains') {
      if (!grainPattern.test(name)) wrong(cell.name, column, 'this is no grain', 'a key such as site or os:version');
      else if (text.length > maxValueLength) wrong(cell, column, 'the grain is too long', `at most ${maxValueLength}`);
      else if (text !== '') entry.grains[name] = text;
    }
  }
  return { entry, places };
}
