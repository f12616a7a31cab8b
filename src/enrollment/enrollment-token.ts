/**
 * The text that lets a device in: where to ask, whom to trust there, and the secret. All of it in one line, so that it
 * fits a file on a card, a QR code, or an ssh session. The authority travels inside, so that no connection is ever made
 * to somebody unknown.
 */
import { FlotillaError } from '../error.ts';

export interface EnrollmentToken {
  fleetId: string;
  /** Of the enrollment listener. */
  host: string;
  port: number;
  /** Where the agent connects afterwards. */
  link: { host: string; port: number };
  /** The authorities that the listener's certificate chains to; the root alone is enough. DER. */
  authorities: Uint8Array[];
  /** Public name of the token; it may stand in logs. */
  id: string;
  /** 32 random bytes, base64url. */
  secret: string;
}

const prefix = 'flotilla-enroll-1.';
const maxTextLength = 8_192;
const secretPattern = /^[A-Za-z0-9_-]{43}$/;

export function formatEnrollmentToken(token: EnrollmentToken): string {
  const { fleetId, host, port, link, authorities, id, secret } = token;
  const body = {
    fleetId,
    host,
    port,
    link,
    authorities: authorities.map((der) => Buffer.from(der).toString('base64url')),
  };
  return `${prefix}${Buffer.from(JSON.stringify(body)).toString('base64url')}.${id}.${secret}`;
}

/** @throws FlotillaError `enrollment-token-malformed`; never with the text in it */
export function parseEnrollmentToken(text: string): EnrollmentToken {
  const line = text.trim();
  const [body, id, secret, ...rest] = line.startsWith(prefix) ? line.slice(prefix.length).split('.') : [];
  const read = body === undefined || line.length > maxTextLength ? undefined : readBody(body);
  if (read !== undefined && id && secret !== undefined && secretPattern.test(secret) && rest.length === 0) {
    return { ...read, id, secret };
  }
  throw new FlotillaError('usage', 'enrollment-token-malformed', 'this is no enrollment token', {
    seen: `${line.length} characters${line.startsWith(prefix) ? '' : ' without its beginning'}`,
    expected: `one line that starts with ${prefix}`,
    suggestion: 'copy the whole line that flotilla enroll token add has printed',
  });
}

function readBody(body: string): Omit<EnrollmentToken, 'id' | 'secret'> | undefined {
  let value: Partial<Record<'fleetId' | 'host' | 'port' | 'link' | 'authorities', unknown>>;
  try {
    value = JSON.parse(Buffer.from(body, 'base64url').toString('utf8')) as typeof value;
  } catch {
    return undefined;
  }
  const { fleetId, authorities } = value ?? {};
  const own = readEndpoint(value);
  const link = readEndpoint(value?.link);
  const fits =
    typeof fleetId === 'string' &&
    Array.isArray(authorities) &&
    authorities.length > 0 &&
    authorities.every((text) => typeof text === 'string');
  if (!fits || own === undefined || link === undefined) return undefined;
  const ders = authorities.map((text) => Buffer.from(text, 'base64url'));
  return { fleetId, ...own, link, authorities: ders };
}

function readEndpoint(value: unknown): { host: string; port: number } | undefined {
  const { host, port } = (value ?? {}) as { host?: unknown; port?: unknown };
  const fits = typeof host === 'string' && host !== '' && Number.isInteger(port) && Number(port) > 0;
  return fits ? { host, port: port as number } : undefined;
}
