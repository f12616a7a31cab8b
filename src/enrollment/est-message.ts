/** Bodies of EST (RFC 7030, as RFC 8951 clarifies it): base64 of DER, whatever line breaks it has. */
import 'reflect-metadata';
import { X509Certificate, X509Certificates } from '@peculiar/x509';
import { FlotillaError } from '../error.ts';

/** Of every operation. */
export const estPath = '/.well-known/est';
export const certificatesType = 'application/pkcs7-mime; smime-type=certs-only';
export const requestType = 'application/pkcs10';

const base64Pattern = /^[A-Za-z0-9+/\s]*=*\s*$/;

/** A "certs-only" CMS message (RFC 7030, 4.1.3) of these certificates, as the body of an answer. */
export function formatCertificates(pems: readonly string[]): string {
  const certificates = new X509Certificates(pems.map((pem) => new X509Certificate(pem)));
  return wrap(Buffer.from(certificates.export('raw')).toString('base64'));
}

/** The certificates of such a body, as PEM. @throws FlotillaError `est-answer-malformed` */
export function parseCertificates(body: string): string[] {
  try {
    const certificates = new X509Certificates(decodeBase64(body));
    if (certificates.length > 0) return certificates.map((certificate) => `${certificate.toString('pem')}\n`);
  } catch (cause) {
    throw malformedAnswer('a body that does not decode', cause);
  }
  throw malformedAnswer('no certificate in it');
}

/** A PKCS#10 request as the body of a question. */
export function formatRequest(csrPem: string): string {
  return wrap(csrPem.replaceAll(/-----[^-]+-----|\s/g, ''));
}

/** PEM of a request that came as base64 DER; PEM as it is, since many clients send that. */
export function parseRequest(body: string): string {
  if (body.includes('-----BEGIN')) return body;
  const der = decodeBase64(body);
  return `-----BEGIN CERTIFICATE REQUEST-----\n${wrap(der.toString('base64'))}-----END CERTIFICATE REQUEST-----\n`;
}

function decodeBase64(body: string): Buffer {
  if (base64Pattern.test(body) && body.trim() !== '') return Buffer.from(body, 'base64');
  throw new FlotillaError('usage', 'est-body-malformed', 'the body is not base64', {
    expected: 'base64 of DER (RFC 7030, section 4.2.1)',
    suggestion: 'openssl req -outform DER | openssl base64',
  });
}

function wrap(base64: string): string {
  return `${base64.replaceAll(/(.{64})(?=.)/g, '$1\n')}\n`;
}

function malformedAnswer(seen: string, cause?: unknown): FlotillaError {
  return new FlotillaError('failed', 'est-answer-malformed', 'the answer holds no certificates', {
    seen,
    expected: 'a certs-only CMS message in base64 (RFC 7030, section 4.1.3)',
    ...(cause === undefined ? {} : { cause }),
  });
}
