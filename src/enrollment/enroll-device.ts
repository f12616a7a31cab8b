/** The device's side of EST: asks for a certificate with a token, and believes an answer only when it fits its key. */
import { X509Certificate, createPrivateKey, createPublicKey } from 'node:crypto';
import { request as httpsRequest } from 'node:https';
import { FlotillaError, systemErrorCode } from '../error.ts';
import { coordinatorServerName } from '../pki/profile.ts';
import { parseDeviceIdentity } from '../pki/peer-identity.ts';
import type { EnrollmentToken } from './enrollment-token.ts';
import { certificatesType, estPath, formatRequest, parseCertificates, requestType } from './est-message.ts';

export interface Enrolled {
  certificatePem: string;
  /** What the device trusts from now on: issuing authorities and root. */
  authorityPem: string;
}

export type EnrollmentAnswer = { kind: 'enrolled'; enrolled: Enrolled } | { kind: 'wait'; seconds: number };

const maxAnswerBytes = 256 * 1024;
const timeoutMs = 30_000;
const defaultWaitSeconds = 30;

export interface EnrollmentQuestion {
  token: EnrollmentToken;
  deviceId: string;
  csrPem: string;
  privateKeyPem: string;
  signal?: AbortSignal;
}

/** @throws FlotillaError: `enrollment-unreachable`, what the coordinator said, or `enrollment-answer-wrong` */
export async function enrollDevice(question: EnrollmentQuestion): Promise<EnrollmentAnswer> {
  const { token, csrPem } = question;
  const authorities = await ask(question, { method: 'GET', operation: 'cacerts' });
  const authorityPem = parseCertificates(authorities.body).join('');
  const credentials = Buffer.from(`${token.id}:${token.secret}`).toString('base64');
  const answer = await ask(question, {
    method: 'POST',
    operation: 'simpleenroll',
    body: formatRequest(csrPem),
    headers: { authorization: `Basic ${credentials}`, 'content-type': requestType },
  });
  if (answer.status === 202) {
    const seconds = Number(answer.retryAfter);
    return { kind: 'wait', seconds: Number.isFinite(seconds) && seconds > 0 ? seconds : defaultWaitSeconds };
  }
  const [certificatePem] = parseCertificates(answer.body);
  checkAnswer(question, certificatePem!, authorityPem);
  return { kind: 'enrolled', enrolled: { certificatePem: certificatePem!, authorityPem } };
}

/** It must be for this key and this id, of this fleet, by an authority that chains to the one in the token. */
function checkAnswer({ token, deviceId, privateKeyPem }: EnrollmentQuestion, pem: string, authorityPem: string): void {
  const certificate = new X509Certificate(pem);
  const wrong = (seen: string, expected: string): FlotillaError =>
    new FlotillaError('failed', 'enrollment-answer-wrong', 'the certificate that came is not the one asked for', {
      seen,
      expected,
      suggestion: 'nothing was kept; tell who runs the coordinator',
    });
  const identity = parseDeviceIdentity(certificate);
  if (identity.deviceId !== deviceId || identity.fleetId !== token.fleetId) {
    throw wrong(`${identity.deviceId} of ${identity.fleetId}`, `${deviceId} of ${token.fleetId}`);
  }
  if (!createPublicKey(createPrivateKey(privateKeyPem)).equals(certificate.publicKey)) {
    throw wrong('another public key', "this device's");
  }
  const told = splitPem(authorityPem).map((text) => new X509Certificate(text));
  const roots = token.authorities.map((der) => new X509Certificate(der));
  const trusted = told.filter((one) => one.ca && roots.some((root) => isOrSigned(root, one)));
  if (!trusted.some((issuer) => certificate.verify(issuer.publicKey))) {
    throw wrong('a certificate of an unknown authority', 'one that the authority of the token has signed');
  }
}

function isOrSigned(root: X509Certificate, one: X509Certificate): boolean {
  return root.fingerprint256 === one.fingerprint256 || one.verify(root.publicKey);
}

function splitPem(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
}

interface Question {
  method: 'GET' | 'POST';
  operation: string;
  body?: string;
  headers?: Record<string, string>;
}

interface Answer {
  status: number;
  body: string;
  retryAfter: string | undefined;
}

function ask({ token, signal }: EnrollmentQuestion, question: Question): Promise<Answer> {
  const { host, port, fleetId, authorities } = token;
  return new Promise((resolve, reject) => {
    const request = httpsRequest({
      host,
      port,
      path: `${estPath}/${question.operation}`,
      method: question.method,
      headers: { ...question.headers, connection: 'close' },
      ca: authorities.map((der) => new X509Certificate(der).toString()),
      servername: coordinatorServerName(fleetId),
      minVersion: 'TLSv1.3',
      agent: false,
      timeout: timeoutMs,
      ...(signal === undefined ? {} : { signal }),
    });
    request.on('timeout', () => request.destroy(new Error(`no answer in ${timeoutMs / 1000} s`)));
    request.on('error', (cause) => reject(unreachable(token, cause)));
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxAnswerBytes) request.destroy(new Error('the answer does not end'));
        else chunks.push(chunk);
      });
      response.on('error', (cause) => reject(unreachable(token, cause)));
      response.on('end', () => {
        const body = Buffer.concat(chunks).toString('utf8');
        const status = response.statusCode ?? 0;
        if (status === 200 || status === 202) resolve({ status, body, retryAfter: response.headers['retry-after'] });
        else reject(refusal(status, body));
      });
    });
    request.end(question.body);
  });
}

/** The coordinator says why in a document like its API's. */
function refusal(status: number, body: string): FlotillaError {
  try {
    const { error } = JSON.parse(body) as { error: Parameters<typeof FlotillaError.fromJSON>[0] };
    if (typeof error?.code === 'string' && typeof error.message === 'string') return FlotillaError.fromJSON(error);
  } catch {
    // said below
  }
  return new FlotillaError('failed', 'enrollment-refused', 'the coordinator did not enroll this device', {
    seen: `HTTP ${status}`,
    expected: `an EST server (${certificatesType})`,
  });
}

function unreachable({ host, port }: EnrollmentToken, cause: unknown): FlotillaError {
  const code = systemErrorCode(cause);
  const message = cause instanceof Error ? cause.message : String(cause);
  return new FlotillaError('unreachable', 'enrollment-unreachable', `no enrollment at ${host}:${port}`, {
    seen: code === undefined || message.includes(code) ? message : `${code}: ${message}`,
    suggestion: 'check the network; on the coordinator: flotilla coordinator status',
    cause,
  });
}
