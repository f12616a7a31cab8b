/** Rules that both files share. */
import { isHost } from '../pki/host.ts';
import type { LogLevel } from '../log.ts';
import { type Field, check, integer, list, text } from './field.ts';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const satisfies LogLevel[];

/** A unix socket's path is at most 107 bytes and a NUL (sun_path of sockaddr_un). */
export const maxSocketPathBytes = 107;

const daySeconds = 86_400;

/** A DNS name or an IP address. */
export const host: Field<string> = check(text({ maxLength: 253 }), (value, key) =>
  isHost(value)
    ? undefined
    : { message: `${key} is not valid`, seen: JSON.stringify(value), expected: 'a host name or an IP address' },
);

export const path: Field<string> = text({ expected: 'a path', pattern: /^[^\0]+$/ });

/** A program and its arguments; no shell stands between. */
export const argv: Field<string[]> = list(text({ expected: 'a program or an argument', maxLength: 65_536 }), {
  min: 1,
});

export function seconds(min: number, maxDays: number): Field<number> {
  return integer({ min, max: maxDays * daySeconds, unit: 'seconds' });
}

export function milliseconds(min: number, max: number): Field<number> {
  return integer({ min, max, unit: 'milliseconds' });
}
