import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/config/problem.ts';
import { parseManifest } from '../../../src/enrollment/manifest.ts';

const key = 'ab'.repeat(32);

function problemsOf(source: string, file: string): string[] {
  try {
    parseManifest(source, file);
  } catch (error) {
    if (error instanceof ConfigError)
      return error.problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
    throw error;
  }
  return [];
}

describe('parseManifest', () => {
  const expected = [
    { deviceId: 'm-1', hardwareSerial: 'SN 1', keySha256: key, tags: { ring: 'canary' }, grains: { 'os:name': 'x' } },
    { deviceId: 'm-2', tags: {}, grains: { 'os:name': 'y' }, pending: true },
  ];

  it('reads CSV', () => {
    const colons = key.toUpperCase().replaceAll(/(..)(?=.)/g, '$1:');
    const source = `id,serial,key,pending,tag.ring,grain.os:name\nm-1,SN 1,${colons},,canary,x\nm-2,,,yes,,y\n`;
    expect(parseManifest(source, 'fleet.csv')).toEqual(expected);
  });

  it('reads the same from YAML', () => {
    const source = `
- id: m-1
  serial: SN 1
  key: ${key}
  tags: {ring: canary}
  grains:
    os:name: x
- id: m-2
  pending: true
  grains: {"os:name": y}
`;
    expect(parseManifest(source, 'fleet.yaml')).toEqual(expected);
  });

  it('keeps a serial number of digits as it is written', () => {
    expect(parseManifest('- {id: m-1, serial: 00120}\n', 'f.yml')[0]?.hardwareSerial).toBe('00120');
  });

  it('tells every problem of a CSV at once, with its place', () => {
    const source = `id,seral,key,pending,tag.Ring\nm-1,,zz,perhaps,x\nM 2,a\nm-1,,,,\n`;
    expect(problemsOf(source, 'f.csv')).toEqual([
      '1:4 unknown column seral',
      '1:22 this is no tag',
      '2:6 this is no key fingerprint',
      '2:9 pending is not valid',
      '3:1 the row has not as many cells as the heading',
      '3:1 this is no device id',
      '4:1 id stands here twice, first in line 2',
    ]);
  });

  it('tells every problem of a YAML at once, with its place', () => {
    const source = `- id: m-1\n  serail: 1\n- tags: {}\n- m-3\n- id: m-1\n  tags: canary\n`;
    expect(problemsOf(source, 'f.yaml')).toEqual([
      '2:3 unknown key serail',
      '3:3 id is missing',
      '4:3 a device must be a map',
      '5:7 id stands here twice, first in line 1',
      '6:3 tags must be a map',
    ]);
  });

  it('takes nothing but text for a value, and no more devices than it can hold', () => {
    expect(problemsOf('- id: m-1\n  serial: {a: 1}\n  tags: {ring: [x]}\n', 'f.yaml')).toEqual([
      '2:11 serial must be text',
      '3:16 tag.ring must be text',
    ]);
    const many = Array.from({ length: 100_001 }, (_, index) => `m-${index}`);
    expect(problemsOf(`id\n${many.join('\n')}\n`, 'f.csv')).toEqual(['100002:1 too many devices']);
  });

  it.each([
    ['', 'f.csv', '1:1 the manifest names no device'],
    ['serial\nx\n', 'f.csv', '1:1 the heading has no column id'],
    ['id,id\na,b\n', 'f.csv', '1:4 two columns id'],
    ['id: x\n', 'f.yaml', '1:1 the manifest must be a list'],
    ['- id: [\n', 'f.yaml', undefined],
  ])('refuses %j as %s', (source, file, problem) => {
    const problems = problemsOf(source, file);
    expect(problems.length).toBeGreaterThan(0);
    if (problem !== undefined) expect(problems).toContain(problem);
  });
});
