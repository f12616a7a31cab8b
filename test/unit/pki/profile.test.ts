import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FlotillaError } from '../../../src/error.ts';
import { isHost, validateHost } from '../../../src/pki/host.ts';
import { isDeviceId, isFleetId, validateDeviceId, validateFleetId } from '../../../src/pki/profile.ts';

const idLetters = 'abcdefghijklmnopqrstuvwxyz0123456789'.split('');

describe('device ids', () => {
  it('are made of the allowed characters and nothing else', () => {
    const id = fc
      .tuple(fc.constantFrom(...idLetters), fc.array(fc.constantFrom(...idLetters, '.', '_', '-'), { maxLength: 62 }))
      .map(([first, rest]) => first + rest.join(''));
    fc.assert(fc.property(id, (text) => isDeviceId(text)));
  });

  it('never hold a character that means something in a path, a glob, a URL or a subject', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
        const safe =
          text.length > 0 &&
          text.length <= 63 &&
          text.split('').every((c) => idLetters.includes(c) || '._-'.includes(c));
        return isDeviceId(text) === (safe && idLetters.includes(text[0] ?? ''));
      }),
    );
  });

  it.each(['', '.', '..', '-a', 'A', 'a/b', 'a\n', 'a,b', 'ä', 'a'.repeat(64), '*'])('refuses %j', (text) => {
    expect(() => validateDeviceId(text)).toThrow(FlotillaError);
  });
});

describe('fleet ids', () => {
  it.each(['a', 'harbour-53pdvy', '0', 'a'.repeat(32)])('accepts %j', (text) => expect(isFleetId(text)).toBe(true));
  it.each(['', '-a', 'a-', 'a.b', 'A', 'a'.repeat(33)])('refuses %j', (text) => {
    expect(() => validateFleetId(text)).toThrow(FlotillaError);
  });
});

describe('hosts of a server certificate', () => {
  it.each(['localhost', 'a.b', 'fleet.example.org', '*.example.org', '127.0.0.1', '::1', '2001:db8::7', 'host_1'])(
    'accepts %j',
    (text) => expect(isHost(text)).toBe(true),
  );
  it.each(['', 'a b', 'a..b', '-a', '1.2.3', '1.2.3.256', 'a,DNS:b', 'a\nb', 'a.', `${'a'.repeat(64)}.b`, 'a*.b'])(
    'refuses %j',
    (text) => expect(() => validateHost(text)).toThrow(FlotillaError),
  );
});
