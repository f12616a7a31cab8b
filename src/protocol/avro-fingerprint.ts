import { Buffer } from 'node:buffer';

const empty = 0xc15d213aa4d7a795n;

/** CRC-64-AVRO of a schema in Parsing Canonical Form (Avro specification, "Schema Fingerprints"). */
export function avroFingerprint(canonicalForm: string): bigint {
  let crc = empty;
  for (const byte of Buffer.from(canonicalForm)) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >> 1n) ^ ((crc & 1n) * empty);
  }
  return crc;
}
