/**
 * A device's own word on an update that it took from a file: what it did and how that ended, signed with the key of its
 * certificate. It travels over the link, or is carried by hand. What is signed is the text of the body as it stands, so
 * that nobody has to agree on an order of its members.
 */
import { type KeyObject, X509Certificate, createHash, sign, verify } from 'node:crypto';
import { FlotillaError } from '../error.ts';

export interface UpdateReceipt {
  /** JSON, the very text that is signed. */
  body: string;
  /** The device's certificate, DER in base64. */
  certificate: string;
  /** With SHA-256, by the key of that certificate; of an EC key r and s of the same length. Base64url. */
  signature: string;
}

export const maxReceiptBytes = 65_536;

export function signUpdateReceipt(body: string, key: KeyObject, certificate: X509Certificate): UpdateReceipt {
  const signature = sign('sha256', signedText(body), { key, dsaEncoding: 'ieee-p1363' });
  return { body, certificate: certificate.raw.toString('base64'), signature: signature.toString('base64url') };
}

/** Which certificate it shows. Proves nothing: whether that is one of the fleet's is for the registry to say. */
export function receiptSigner(receipt: UpdateReceipt): { serial: string; fingerprintSha256: string } {
  const certificate = readCertificate(receipt);
  const fingerprintSha256 = createHash('sha256').update(certificate.raw).digest('hex');
  return { serial: certificate.serialNumber.toLowerCase(), fingerprintSha256 };
}

/** @throws FlotillaError `receipt-signature`: it was altered, or another key has signed it */
export function verifyUpdateReceipt(receipt: UpdateReceipt): void {
  const { publicKey: key } = readCertificate(receipt);
  const signature = Buffer.from(receipt.signature, 'base64url');
  if (verify('sha256', signedText(receipt.body), { key, dsaEncoding: 'ieee-p1363' }, signature)) return;
  throw new FlotillaError('refused', 'receipt-signature', 'the receipt is not what the device has signed', {
    expected: 'the file as `flotilla agent receipt` has written it, unchanged',
  });
}

/** One receipt, or an array of them, as `agent receipt` writes them. @throws FlotillaError `receipt-malformed` */
export function parseUpdateReceipts(text: string, source: string): UpdateReceipt[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    document = undefined;
  }
  const receipts = (Array.isArray(document) ? document : [document]).map(receiptOf);
  if (receipts.length > 0 && receipts.every((receipt) => receipt !== undefined)) return receipts;
  throw new FlotillaError('usage', 'receipt-malformed', `${source} holds no receipts`, {
    seen: document === undefined ? 'not JSON' : receipts.length === 0 ? 'nothing' : `entry ${receipts.indexOf(undefined) + 1} is none`, // prettier-ignore
    expected: 'what flotilla agent receipt has written',
  });
}

function receiptOf(value: unknown): UpdateReceipt | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { body, certificate, signature } = value as Record<string, unknown>;
  if (typeof body !== 'string' || typeof certificate !== 'string' || typeof signature !== 'string') return undefined;
  return { body, certificate, signature };
}

function readCertificate({ certificate }: UpdateReceipt): X509Certificate {
  try {
    return new X509Certificate(Buffer.from(certificate, 'base64'));
  } catch (cause) {
    throw new FlotillaError('refused', 'receipt-certificate', 'the receipt shows no certificate', {
      seen: certificate.slice(0, 40),
      expected: 'the certificate of a device, DER in base64',
      cause,
    });
  }
}

function signedText(body: string): Buffer {
  return Buffer.from(`flotilla-update-receipt 1\n${body}`);
}
