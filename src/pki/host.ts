/** What may stand in a server certificate beside the fleet's own name. */
import { isIP } from 'node:net';
import { FlotillaError } from '../error.ts';

const dnsNamePattern =
  /^(?=.{1,253}$)(?:\*\.)?[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?)*$/i;

/** A DNS name or an IP address, as it may stand in a server certificate. */
export function isHost(text: string): boolean {
  return isIP(text) !== 0 || (dnsNamePattern.test(text) && !/^[0-9.]+$/.test(text));
}

export function validateHost(text: string): void {
  if (isHost(text)) return;
  throw new FlotillaError('usage', 'pki-host', 'this is no host name and no IP address', {
    seen: JSON.stringify(text.slice(0, 80)),
    expected: 'a DNS name such as fleet.example.org, or an address such as 192.0.2.7 or 2001:db8::7',
  });
}
