import { Buffer } from 'node:buffer';

/** The polynomial, reflected; also the fingerprint of nothing. As two halves: bigints are far too slow for a byte each. */
const [emptyHigh, emptyLow] = [0xc15d213a, 0xa4d7a795];
const high = new Int32Array(256);
const low = new Int32Array(256);
for (let byte = 0; byte < 256; byte += 1) {
  let [h, l] = [0, byte];
  for (let bit = 0; bit < 8; bit += 1) {
    const isOdd = (l & 1) === 1;
    l = (l >>> 1) | (h << 31);
    h >>>= 1;
    if (isOdd) [h, l] = [h ^ emptyHigh, l ^ emptyLow];
  }
  [high[byte], low[byte]] = [h, l];
}

/** CRC-64-AVRO of a schema in Parsing Canonical Form (Avro specification, "Schema Fingerprints"). */
export function avroFingerprint(canonicalForm: string): bigint {
  let [h, l] = [emptyHigh, emptyLow];
  for (const byte of Buffer.from(canonicalForm)) {
    const index = (l ^ byte) & 0xff;
    l = ((l >>> 8) | (h << 24)) ^ low[index]!;
    h = (h >>> 8) ^ high[index]!;
  }
  return (BigInt(h >>> 0) << 32n) | BigInt(l >>> 0);
}
