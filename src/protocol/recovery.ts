/**
 * What is said on the recovery port, whole: one question of a device, one answer of the coordinator, then the end.
 *
 *   question   u16 length (64 to 4,096), PKCS#10 request in DER
 *   answer     u8 0, u16 length, certificate in DER, u8 count (1 to 16), so many times: u16 length, authority in DER
 *              u8 1                  refused; the coordinator's log says why
 *              u8 2                  the certificate has not expired: the port of the link is the one to use
 *              u8 3, u32 seconds     not now: come back after so long
 *
 * Both are judged by their length before anything of them is kept; a byte behind either is an error.
 */
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { ProtocolError } from './protocol-error.ts';

export const recoveryAlpn = 'flotilla-recovery/1';

export const maxQuestionBytes = 4_096;
const minQuestionBytes = 64;
const maxCertificateBytes = 8_192;
const maxAuthorities = 16;
/** Of an answer: one certificate, and the authorities. */
export const maxAnswerBytes = 4 + (maxAuthorities + 1) * (maxCertificateBytes + 2);

const kinds = { issued: 0, refused: 1, 'not-expired': 2, later: 3 } as const;

export type RecoveryAnswer =
  | { kind: 'issued'; certificate: Uint8Array; authorities: Uint8Array[] }
  | { kind: 'refused' }
  | { kind: 'not-expired' }
  | { kind: 'later'; retryAfterSeconds: number };

export function encodeQuestion(csr: Uint8Array): Uint8Array {
  checkLength('the request', csr.length, minQuestionBytes, maxQuestionBytes);
  const out = new ByteWriter(csr.length + 2);
  out.uint16(csr.length);
  out.bytes(csr);
  return out.take();
}

/** The request once all of it is there; undefined until then. @throws ProtocolError */
export function decodeQuestion(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length < 2) return undefined;
  const length = readLength(new ByteReader(bytes));
  checkLength('the request', length, minQuestionBytes, maxQuestionBytes);
  if (bytes.length > length + 2) throw new ProtocolError('frame-trailing', 'a byte behind the request');
  return bytes.length < length + 2 ? undefined : bytes.subarray(2);
}

export function encodeAnswer(answer: RecoveryAnswer): Uint8Array {
  const out = new ByteWriter(1_024);
  out.byte(kinds[answer.kind]);
  if (answer.kind === 'later') out.uint32(Math.min(2 ** 32 - 1, Math.ceil(answer.retryAfterSeconds)));
  if (answer.kind === 'issued') {
    writeBlock(out, answer.certificate);
    checkLength('the authorities', answer.authorities.length, 1, maxAuthorities);
    out.byte(answer.authorities.length);
    for (const authority of answer.authorities) writeBlock(out, authority);
  }
  return out.take();
}

/** A whole answer: the other end closes behind it. @throws ProtocolError */
export function decodeAnswer(bytes: Uint8Array): RecoveryAnswer {
  const reader = new ByteReader(bytes);
  const answer = readAnswer(reader);
  reader.end();
  return answer;
}

function readAnswer(reader: ByteReader): RecoveryAnswer {
  const kind = reader.byte();
  switch (kind) {
    case kinds.issued: {
      const certificate = readBlock(reader);
      const count = reader.byte();
      checkLength('the authorities', count, 1, maxAuthorities);
      return { kind: 'issued', certificate, authorities: Array.from({ length: count }, () => readBlock(reader)) };
    }
    case kinds.refused:
      return { kind: 'refused' };
    case kinds['not-expired']:
      return { kind: 'not-expired' };
    case kinds.later:
      return { kind: 'later', retryAfterSeconds: reader.uint32() };
    default:
      throw new ProtocolError('value', `an answer of kind ${kind}`);
  }
}

function writeBlock(out: ByteWriter, bytes: Uint8Array): void {
  checkLength('a certificate', bytes.length, 1, maxCertificateBytes);
  out.uint16(bytes.length);
  out.bytes(bytes);
}

function readBlock(reader: ByteReader): Uint8Array {
  const length = readLength(reader);
  checkLength('a certificate', length, 1, maxCertificateBytes);
  return Uint8Array.from(reader.bytes(length));
}

function readLength(reader: ByteReader): number {
  return reader.byte() * 0x100 + reader.byte();
}

function checkLength(what: string, seen: number, min: number, max: number): void {
  if (seen >= min && seen <= max) return;
  throw new ProtocolError('frame-length', `${what} has ${seen}`, { seen: `${seen}`, expected: `${min} to ${max}` });
}
