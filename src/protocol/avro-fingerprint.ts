import { Buffer } from 'node:buffer';

/** The polynomial, and the fingerprint of nothing. */
const empty = 0xc15d213aa4d7a795n;

let table: bigint[] | undefined;

/** CRC-64-AVRO of a schema in Parsing Canonical Form (Avro specification, "Schema Fingerprints"). */
export function avroFingerprint(canonicalForm: string): bigint {
  table ??= Array.from({ length: 256 }, (_, byte) => {
    let crc = BigInt(byte);
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >> 1n) ^ ((crc & 1n) * empty);
    return crc;
  });
  let crc = empty;
  for (const byte of Buffer.from(canonicalForm)) crc = (crc >> 8n) ^ table[Number(crc & 0xffn) ^ byte]!;
  return crc;
}
