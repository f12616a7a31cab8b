/** OpenSSH's known_hosts (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): which keys a host may show. Pure. */
import { createHmac } from 'node:crypto';

export interface KnownHost {
  /** `@revoked`; lines of certificate authorities are left out: no host certificates are taken here. */
  revoked: boolean;
  matches(name: string): boolean;
  /** `ssh-ed25519`, `ssh-rsa`, … */
  algorithm: string;
  keyBase64: string;
}

/** `host`, or `[host]:port` when the port is not 22: how known_hosts names a place. */
export function knownHostName(host: string, port: number): string {
  return port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
}

/** A line that can't be read knows nobody. */
export function parseKnownHosts(text: string): KnownHost[] {
  return text.split(/\r?\n/).flatMap((line) => {
    const words = line.trim().split(/\s+/);
    if (words[0] === undefined || words[0] === '' || words[0].startsWith('#')) return [];
    const marker = words[0].startsWith('@') ? words.shift() : undefined;
    if (marker !== undefined && marker !== '@revoked') return [];
    const [names, algorithm, keyBase64] = words;
    if (names === undefined || algorithm === undefined || keyBase64 === undefined) return [];
    return [{ revoked: marker === '@revoked', matches: matcherOf(names), algorithm, keyBase64 }];
  });
}

export function formatKnownHost(name: string, key: Uint8Array): string {
  return `${name} ${algorithmOf(key)} ${Buffer.from(key).toString('base64')}\n`;
}

/** A public key starts with the name of its algorithm (RFC 4253, section 6.6). */
export function algorithmOf(key: Uint8Array): string {
  const bytes = Buffer.from(key);
  if (bytes.length < 4) return 'unknown';
  return bytes.subarray(4, 4 + Math.min(bytes.readUInt32BE(0), 64)).toString('latin1');
}

function matcherOf(names: string): KnownHost['matches'] {
  if (names.startsWith('|')) {
    const [, version, salt = '', digest] = names.split('|');
    if (version !== '1') return () => false;
    return (name) => createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === digest;
  }
  const patterns = names
    .toLowerCase()
    .split(',')
    .map((text) => ({ negated: text.startsWith('!'), pattern: text.replace(/^!/, '') }));
  return (name) =>
    !patterns.some(({ negated, pattern }) => negated && matchesWildcards(pattern, name)) &&
    patterns.some(({ negated, pattern }) => !negated && matchesWildcards(pattern, name));
}

/** `*` is any run, `?` one character. Only the last star is ever tried again: pattern × text steps at most. */
function matchesWildcards(pattern: string, text: string): boolean {
  let at = 0;
  let star = -1;
  let retry = 0;
  for (let read = 0; read < text.length;) {
    if (pattern[at] === '*') {
      star = at;
      retry = read;
      at += 1;
    } else if (pattern[at] === '?' || pattern[at] === text[read]) {
      at += 1;
      read += 1;
    } else if (star >= 0) {
      at = star + 1;
      retry += 1;
      read = retry;
    } else return false;
  }
  while (pattern[at] === '*') at += 1;
  return at === pattern.length;
}
