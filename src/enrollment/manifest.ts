/** A manifest of devices that are to come: what an operator knows of them before they have ever been seen. */
import {
  readFlag,
  readManifest,
  readMaps,
  type ManifestRow,
  type ManifestShape,
  type Wrong,
} from '../manifest/index.ts';
import { isHardwareSerial } from '../pki/create-csr.ts';
import { isDeviceId } from '../pki/profile.ts';

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

const shape: ManifestShape = {
  columns: ['id', 'serial', 'key', 'pending'],
  required: 'id',
  unique: ['id', 'serial', 'key'],
  maxRows: 100_000,
};

/**
 * CSV with a heading (`id,serial,key,pending,tag.ring,grain.site`), or YAML: a list of maps with `id`, `serial`, `key`,
 * `pending`, `tags:` and `grains:`. @throws ConfigError with every problem of the file
 */
export function parseManifest(source: string, file: string): ManifestEntry[] {
  return readManifest(source, file, shape, readEntry);
}

function readEntry(row: ManifestRow, wrong: Wrong): ManifestEntry {
  const entry: ManifestEntry = { deviceId: '', ...readMaps(row, wrong) };
  const id = row.get('id');
  if (id !== undefined) {
    if (isDeviceId(id.text)) entry.deviceId = id.text;
    else wrong(id, 'id', 'this is no device id', 'one to 63 of a-z 0-9 . _ - with a letter or digit first');
  }
  const serial = row.get('serial');
  if (serial !== undefined && serial.text !== '') {
    if (isHardwareSerial(serial.text)) entry.hardwareSerial = serial.text;
    else wrong(serial, 'serial', 'this is no serial number', "one to 64 of A-Z a-z 0-9, space and '()+,-./:=?");
  }
  const key = row.get('key');
  if (key !== undefined && key.text !== '') {
    const hex = key.text.toLowerCase().replaceAll(':', '');
    if (/^[0-9a-f]{64}$/.test(hex)) entry.keySha256 = hex;
    else wrong(key, 'key', 'this is no key fingerprint', 'SHA-256 of the public key: 64 hex digits');
  }
  const pending = row.get('pending');
  if (pending !== undefined && readFlag(pending, 'pending', wrong)) entry.pending = true;
  return entry;
}
