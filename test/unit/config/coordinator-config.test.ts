import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { formatError } from '../../../src/cli/report-error.ts';
import { coordinatorConfigField, defaultCoordinatorConfig } from '../../../src/config/coordinator-config.ts';
import { packageRoot } from '../../../src/config/package-root.ts';
import { ConfigError, type ConfigProblem } from '../../../src/config/problem.ts';
import { parseConfig } from '../../../src/config/read-config.ts';

const read = (source: string) => parseConfig(source, 'coordinator.yaml', coordinatorConfigField);

function problemsOf(source: string): readonly ConfigProblem[] {
  try {
    read(source);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('coordinator.yaml', () => {
  it('needs nothing but the id of the fleet', () => {
    expect(read('fleetId: f1\n')).toEqual({ fleetId: 'f1', ...defaultCoordinatorConfig });
  });

  it('as the template has it states the defaults', async () => {
    const template = await readFile(join(packageRoot(), 'templates', 'coordinator.yaml'), 'utf8');
    const { fleetId, ...rest } = parse(template);
    expect(fleetId).toBe('example');
    expect(rest).toEqual(defaultCoordinatorConfig);
    expect(read(template)).toEqual({ fleetId, ...defaultCoordinatorConfig });
  });

  it('keeps the defaults beside what is set, and the defaults themselves are not touched', () => {
    const config = read('fleetId: f1\nlisten: { port: 0 }\ngateways: 3\njobs:\n');
    expect(config).toMatchObject({ listen: { host: '0.0.0.0', port: 0 }, gateways: 3 });
    expect(config.jobs).toEqual(defaultCoordinatorConfig.jobs);
    config.jobs.confirmAboveShare = 1;
    config.hosts.push('x');
    expect(defaultCoordinatorConfig.jobs.confirmAboveShare).toBe(0.5);
    expect(defaultCoordinatorConfig.hosts).toEqual(['localhost']);
  });

  it('reports every problem at once, each with its line and column', () => {
    const source = [
      'fleetId: Harbour',
      'listen:',
      '  host: "not a host"',
      '  prot: 7443',
      'gateways: many',
      'hosts: [ok, "a b"]',
      'jobs: { confirmAboveShare: 50 }',
      'log:',
      '  level: wran',
      '',
    ].join('\n');
    expect(problemsOf(source).map(({ key, line, column }) => `${line}:${column} ${key}`)).toEqual([
      '1:10 fleetId',
      '3:9 listen.host',
      '4:3 listen.prot',
      '5:11 gateways',
      '6:13 hosts[1]',
      '7:28 jobs.confirmAboveShare',
      '9:10 log.level',
    ]);
  });

  it.each([
    ['fleetId: f1\nrolouts: {}\n', 'rollouts'],
    ['fleetId: f1\nlink: { keepAliveSeconds: 3 }\n', 'keepaliveSeconds'],
    ['fleetId: f1\nlog: { level: wran }\n', 'warn'],
    ['fleetid: f1\n', 'fleetId'],
  ])('suggests what was meant in %j', (source, suggestion) => {
    expect(problemsOf(source).map((problem) => problem.suggestion)).toContain(suggestion);
  });

  it.each([
    ['an empty file', '', '1:1'],
    ['a comment alone', '# nothing\n', '1:1'],
    ['a list', '- a\n', '1:1'],
    ['a missing fleetId', 'gateways: 1\n', '1:1'],
    ['an empty value', 'fleetId:\n', '1:9'],
    ['a number for text', 'fleetId: 12\n', '1:10'],
    ['a port above 65535', 'fleetId: f1\nlisten: { port: 65536 }\n', '2:17'],
    ['a port in quotes', 'fleetId: f1\nlisten: { port: "1" }\n', '2:17'],
    ['a key twice', 'fleetId: f1\nfleetId: f2\n', '2:1'],
    ['a second document', 'fleetId: f1\n---\nfleetId: f2\n', '2:1'],
    ['a bracket left open', 'fleetId: f1\nhosts: [a\n', '3:1'],
    ['a tab for indentation', 'fleetId: f1\nlog:\n\tlevel: info\n', '3:1'],
    ['an unknown tag', 'fleetId: !x f1\n', '1:10'],
    ['an alias to nothing', 'fleetId: *a\n', '1:10'],
    ['no gateways', 'fleetId: f1\ngateways: 0\n', '2:11'],
    ['a fraction of a second', 'fleetId: f1\nlink: { keepaliveSeconds: 1.5 }\n', '2:27'],
    ['a bound of frames, which is not to be chosen', 'fleetId: f1\nlink: { maxFrameBytes: 65536 }\n', '2:9'],
    ['a spread of no time', 'fleetId: f1\nlink: { retrySpreadSeconds: 0 }\n', '2:29'],
    ['an unknown packing', 'fleetId: f1\nlink: { packing: zip }\n', '2:18'],
    ['an infinite number', 'fleetId: f1\njobs: { confirmAboveShare: .inf }\n', '2:28'],
    ['a prototype for a key', 'fleetId: f1\n__proto__: {}\n', '2:1'],
    ['a constructor for a key', 'fleetId: f1\nconstructor: {}\n', '2:1'],
  ])('refuses %s and says where', (_what, source, place) => {
    const [first] = problemsOf(source);
    expect(`${first?.line}:${first?.column}`).toBe(place);
  });

  it('reads anchors and aliases', () => {
    expect(read('fleetId: &id f1\nhosts: [*id]\n').hosts).toEqual(['f1']);
  });

  it('shows one problem with the line it stands in, and several as a list', () => {
    const one = thrownBy('fleetId: f1\nlisten: { port: 99999 }\n');
    expect(formatError(one)).toBe(
      [
        'Error: coordinator.yaml:2:17: listen.port is not valid',
        '    listen: { port: 99999 }',
        '                    ^',
        '  seen:     99999',
        '  expected: a whole number from 0 to 65535',
        '',
      ].join('\n'),
    );
    const two = thrownBy('fleetId: f1\ngateways: 0\nx: 1\n');
    expect(formatError(two)).toContain('coordinator.yaml:2:11: gateways is not valid');
    expect(formatError(two)).toContain('coordinator.yaml:3:1: unknown key x');
    expect(two.toJSON()).toMatchObject({
      code: 'config-invalid',
      fault: 'usage',
      problems: [{ line: 2 }, { line: 3 }],
    });
  });

  it('of any content is either a configuration or a list of problems', () => {
    const value = fc.anything({ maxDepth: 3, withNullPrototype: false });
    const names = Object.keys(defaultCoordinatorConfig);
    const document = fc.dictionary(fc.oneof(fc.constantFrom('fleetId', ...names), fc.string()), value);
    fc.assert(
      fc.property(fc.oneof(document.map(tryStringify), fc.string()), (source) => {
        const problems = problemsOf(source);
        return problems.length > 0 || read(source).fleetId.length > 0;
      }),
    );
  });
});

function thrownBy(source: string): ConfigError {
  try {
    read(source);
  } catch (error) {
    if (error instanceof ConfigError) return error;
  }
  throw new Error('no problem was reported');
}

function tryStringify(value: unknown): string {
  try {
    return stringify(value);
  } catch {
    return '';
  }
}
