/**
 * What each certificate of a fleet looks like: names, uses, life. Pure: no clock, no IO.
 *
 *   root       CN "<fleetId> root authority"      CA, pathlen 1   1970..9999
 *   issuing    CN "<fleetId> issuing authority"   CA, pathlen 0   1970..9999; after rotations "… authority 2", "… 3"
 *   coordinator CN "coordinator.<fleetId>.flotilla"  serverAuth   1970..9999
 *   device     CN "<deviceId>"  SAN flotilla://<fleetId>/device/<deviceId>          clientAuth, 1 year
 *   operator   CN "<name>"      SAN flotilla://<fleetId>/operator/<role>/<name>     clientAuth, 1 year
 */
import { FlotillaError } from '../error.ts';
import type { OperatorRole } from '../role.ts';

/** The life of root, issuing and coordinator certificates: a device whose clock says 1970 or 2038 must still connect. */
export const alwaysNotBeforeMs = 0;
export const alwaysNotAfterMs = Date.UTC(9999, 11, 31, 23, 59, 59);

export const defaultDeviceValidityDays = 365;
export const defaultOperatorValidityDays = 365;
/** Device and operator certificates start a little in the past: the clocks of one site differ by minutes. */
export const backdateMs = 5 * 60_000;
export const msPerDay = 86_400_000;

/** Object identifiers of extended key usages (RFC 5280, 4.2.1.12). */
export const ExtendedKeyUsage = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

export { isOperatorRole, operatorRoles, type OperatorRole } from '../role.ts';

const deviceIdPattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const fleetIdPattern = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/;

export function isDeviceId(text: string): boolean {
  return deviceIdPattern.test(text);
}

/** Refuses what is not a device id; such an id is safe in globs, paths and URLs. */
export function validateDeviceId(text: string): asserts text is string {
  if (isDeviceId(text)) return;
  throw new FlotillaError('usage', 'pki-device-id', 'this is no device id', {
    seen: JSON.stringify(text.slice(0, 80)),
    expected: 'one to 63 of a-z 0-9 . _ - with a letter or digit first',
  });
}

export function isFleetId(text: string): boolean {
  return fleetIdPattern.test(text);
}

export function validateFleetId(text: string): void {
  if (isFleetId(text)) return;
  throw new FlotillaError('usage', 'pki-fleet-id', 'this is no fleet id', {
    seen: JSON.stringify(text.slice(0, 80)),
    expected: 'one to 32 of a-z 0-9 - with a letter or digit at both ends',
  });
}

/** Operators have names of the same alphabet as devices. */
export function validateOperatorName(text: string): void {
  if (isDeviceId(text)) return;
  throw new FlotillaError('usage', 'pki-operator-name', 'this is no operator name', {
    seen: JSON.stringify(text.slice(0, 80)),
    expected: 'one to 63 of a-z 0-9 . _ - with a letter or digit first',
  });
}

/** The DNS name that every coordinator certificate of the fleet carries, so that devices need no public DNS. */
export function coordinatorServerName(fleetId: string): string {
  return `coordinator.${fleetId}.flotilla`;
}

export function rootCommonName(fleetId: string): string {
  return `${fleetId} root authority`;
}

/** The first has no number; each rotation makes the next, so that no two authorities have one name. */
export function issuingCommonName(fleetId: string, number = 1): string {
  return `${fleetId} issuing authority${number === 1 ? '' : ` ${number}`}`;
}

export interface AuthorityName {
  fleetId: string;
  kind: 'root' | 'issuing';
  /** 1 for a root. */
  number: number;
}

const authorityPattern = /^CN=(\S+) (root|issuing) authority(?: ([1-9]\d{0,3}))?$/;

/** What a subject says of an authority of a fleet; undefined for any other subject. */
export function parseAuthorityName(subject: string): AuthorityName | undefined {
  const [, fleetId, kind, digits] = authorityPattern.exec(subject) ?? [];
  if (fleetId === undefined || !isFleetId(fleetId) || (kind === 'root' && digits !== undefined)) return undefined;
  if (digits === '1') return undefined;
  return { fleetId, kind: kind as AuthorityName['kind'], number: Number(digits ?? 1) };
}

export function deviceUri(fleetId: string, deviceId: string): string {
  return `flotilla://${fleetId}/device/${deviceId}`;
}

export function operatorUri(fleetId: string, role: OperatorRole, name: string): string {
  return `flotilla://${fleetId}/operator/${role}/${name}`;
}
