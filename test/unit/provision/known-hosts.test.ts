import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  algorithmOf,
  formatKnownHost,
  knownHostName,
  parseKnownHosts,
} from '../../../src/provision/ssh/known-hosts.ts';
import { shellQuote } from '../../../src/provision/ssh/shell-quote.ts';
import { parseTarget } from '../../../src/provision/ssh/target.ts';
import { hasTools } from '../../support/system-tool.ts';

const key = 'AAAAC3NzaC1lZDI1NTE5AAAAIJ2e1gM0CjXW9ZrVxxJ1bYzqYq2a0b0p0m0s0c0d0e0f';
const knows = (text: string, name: string): boolean[] =>
  parseKnownHosts(text)
    .filter((one) => one.matches(name))
    .map(({ revoked }) => revoked);

describe('known_hosts', () => {
  it.each([
    [`a.example ssh-ed25519 ${key}`, 'a.example', [false]],
    [`A.example,10.0.0.1 ssh-ed25519 ${key}`, '10.0.0.1', [false]],
    [`a.example ssh-ed25519 ${key}`, '[a.example]:2222', []],
    [`[a.example]:2222 ssh-ed25519 ${key}`, '[a.example]:2222', [false]],
    [`*.example,!b.example ssh-ed25519 ${key}`, 'a.example', [false]],
    [`*.example,!b.example ssh-ed25519 ${key}`, 'b.example', []],
    [`a?.example ssh-ed25519 ${key}`, 'a1.example', [false]],
    [`a.example ssh-ed25519 ${key}`, 'axexample', []],
    [`@revoked * ssh-ed25519 ${key}`, 'a.example', [true]],
    [`@cert-authority * ssh-ed25519 ${key}`, 'a.example', []],
    [`# a.example ssh-ed25519 ${key}`, 'a.example', []],
    [`a.example`, 'a.example', []],
    ['|1|bad', 'a.example', []],
  ])('%s knows %s: %j', (text, name, revoked) => {
    expect(knows(text, name)).toEqual(revoked);
  });

  it.skipIf(!hasTools('hashed known_hosts', 'ssh-keygen'))('finds what ssh-keygen has hashed', () => {
    const folder = mkdtempSync(join(tmpdir(), 'flotilla-test-'));
    try {
      const file = join(folder, 'known_hosts');
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'k')]);
      const [algorithm, base64] = readFileSync(join(folder, 'k.pub'), 'utf8').split(' ');
      writeFileSync(file, `[h.example]:2200 ${algorithm} ${base64}\nother ${algorithm} ${base64}\n`);
      execFileSync('ssh-keygen', ['-q', '-H', '-f', file], { stdio: 'ignore' });
      const text = readFileSync(file, 'utf8');
      expect(text).not.toContain('h.example');
      expect(knows(text, knownHostName('H.example', 2200))).toEqual([false]);
      expect(knows(text, knownHostName('h.example', 22))).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('knows what it has written', () => {
    const blob = Buffer.concat([Buffer.from([0, 0, 0, 11]), Buffer.from('ssh-ed25519'), Buffer.alloc(36)]);
    expect(algorithmOf(blob)).toBe('ssh-ed25519');
    expect(knows(formatKnownHost('[a]:23', blob), '[a]:23')).toEqual([false]);
    expect(algorithmOf(Buffer.from([0]))).toBe('unknown');
  });

  it('takes any text, and a pattern that a backtracking matcher would not end with', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), fc.string({ maxLength: 40 }), (text, name) => void knows(text, name)),
    );
    const stars = `${'*a'.repeat(60)} ssh-ed25519 ${key}`;
    knows(stars, `${'a'.repeat(200)}!`);
  });
});

describe('shellQuote', () => {
  it('is read back by sh as it was', () => {
    const word = fc.string({
      unit: fc.constantFrom('a', ' ', "'", '"', '$', '\\', '\n', '*', ';', '`', 'é'),
      maxLength: 8,
    });
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), (words) => {
        const out = execFileSync('sh', ['-c', `printf '%s\\0' ${shellQuote(words)}`]).toString();
        expect(out.split('\0').slice(0, -1)).toEqual(words);
      }),
      { numRuns: 40 },
    );
  });
});

describe('parseTarget', () => {
  it.each([
    ['a', { host: 'a' }],
    ['root@10.0.0.1:2222', { user: 'root', host: '10.0.0.1', port: 2222 }],
    ['u@[fd00::1]:22', { user: 'u', host: 'fd00::1', port: 22 }],
    ['', undefined],
    ['-oProxyCommand=x', undefined],
    ['a b', undefined],
    ['a:0', undefined],
    ['a:99999', undefined],
    ['fd00::1', undefined],
  ])('%j', (text, target) => {
    expect(parseTarget(text)).toEqual(target);
  });
});
