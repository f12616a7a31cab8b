/** The architecture, held by a test: who may import whom, what pure code may not touch, how files are named. */
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { areaOf, findCycles, readSourceTree } from './support/source-tree.ts';

const files = readSourceTree(['src/**/*.ts', 'commands/**/*.ts']);
const src = files.filter(({ path }) => path.startsWith('src/'));

/** An area may import these areas, itself, and the files directly in src/ (error, clock, log). */
const arrows: Record<string, string[]> = {
  '': [],
  protocol: ['window'],
  audit: [],
  door: [],
  selector: [],
  window: [],
  pki: [],
  firmware: [],
  session: ['protocol'],
  transport: ['protocol', 'session'],
  eventlog: ['protocol'],
  store: ['protocol', 'eventlog', 'audit'],
  client: ['protocol', 'audit', 'window'],
  config: ['pki', 'window'],
  manifest: ['config'],
  enrollment: ['config', 'manifest', 'pki'],
  provision: ['config', 'pki', 'firmware', 'client', 'device', 'manifest'],
  agent: ['protocol', 'session', 'transport', 'eventlog', 'firmware', 'config', 'pki', 'door', 'device', 'window'],
  device: ['config', 'pki', 'door', 'transport'],
  board: ['firmware', 'config'],
  coordinator: [
    'audit',
    'protocol',
    'session',
    'transport',
    'eventlog',
    'store',
    'selector',
    'pki',
    'firmware',
    'client',
    'config',
    'enrollment',
    'window',
  ],
  cli: [
    'device',
    'audit',
    'store',
    'selector',
    'client',
    'config',
    'pki',
    'firmware',
    'eventlog',
    'door',
    'provision',
    'simulation',
    'window',
  ],
  simulation: ['protocol', 'selector', 'client', 'coordinator', 'window'],
  demo: ['cli', 'client', 'config', 'board', 'firmware', 'protocol', 'eventlog', 'agent'],
  commands: [
    'audit',
    'cli',
    'client',
    'config',
    'enrollment',
    'pki',
    'firmware',
    'provision',
    'agent',
    'demo',
    'door',
    'device',
    'simulation',
  ],
};

/** Code without sockets, files, processes, clocks, chance or SQL: what it needs of them is an argument. */
const pure = [
  /^src\/(protocol|session|selector|audit|simulation|window)\//,
  /^src\/eventlog\/schema\//,
  /^src\/pki\/profile\.ts$/,
  /^src\/coordinator\/(config|enrollment|identity|job|operator|registry|request|rollout)\//,
];
const pureBuiltins = new Set(['node:buffer', 'node:crypto', 'node:util', 'node:zlib']);
const impureCall = /\b(Date\.now|performance\.now|new Date\(\)|Math\.random|setTimeout|setInterval|setImmediate)\b/;

const sql = /[`'](SELECT|INSERT|UPDATE|DELETE FROM|CREATE (TABLE|INDEX)|PRAGMA)\s/;
const sqlHomes = /^src\/(store|eventlog|agent\/state)\//;
const oclifHomes = /^(src\/cli\/|src\/bin\/flotilla\.ts$|commands\/)/;
const exitHomes = /^src\/(bin|board)\//;
/** Each needs what execa has not: raw channels of descriptors, a process group, or a start at half the processor time. */
const childProcessHomes = new Set([
  'src/agent/machine/run-bounded.ts',
  'src/agent/machine/waiting-process.ts',
  'src/board/agent-supervisor.ts',
  'src/board/power-switch.ts',
  'src/coordinator/gateway/gateway-process.ts',
]);
const maxLines = 400;
const forbiddenName = /(^|-)(utils?|helpers?|common|managers?|misc|types?|shared|stuff)(-|\.)/;

describe('architecture', () => {
  it('knows every area', () => {
    const areas = new Set(files.map(({ path }) => areaOf(path)).filter((area) => area !== 'bin'));
    expect([...areas].filter((area) => !(area in arrows))).toEqual([]);
  });

  it('has arrows that go one way', () => {
    const wrong = files.flatMap(({ path, imports }) => {
      const area = areaOf(path);
      if (area === 'bin') return [];
      const allowed = new Set([area, '', ...(arrows[area] ?? [])]);
      return imports.filter((target) => !allowed.has(areaOf(target))).map((target) => `${path} → ${target}`);
    });
    expect(wrong).toEqual([]);
  });

  it('has no cycle of files', () => {
    expect(findCycles(files)).toEqual([]);
  });

  it('has entry points that nobody imports, but for a thread that is started by its path', () => {
    const wrong = files.flatMap(({ path, imports }) =>
      imports.filter((target) => areaOf(target) === 'bin').map((target) => `${path} → ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it('keeps pure code pure', () => {
    const wrong = src
      .filter(({ path }) => pure.some((pattern) => pattern.test(path)))
      .flatMap(({ path, packages, code }) => {
        const builtins = packages.filter((name) => name.startsWith('node:') && !pureBuiltins.has(name));
        const call = impureCall.exec(code);
        return [...builtins.map((name) => `${path} imports ${name}`), ...(call ? [`${path} calls ${call[0]}`] : [])];
      });
    expect(wrong).toEqual([]);
  });

  it('has SQL in three places only', () => {
    const wrong = src.filter(
      ({ path, packages, text }) => (packages.includes('node:sqlite') || sql.test(text)) && !sqlHomes.test(path),
    );
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  it('knows oclif only where commands are run', () => {
    const wrong = files.filter(
      ({ path, packages }) => packages.some((name) => name.startsWith('@oclif/')) && !oclifHomes.test(path),
    );
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  it('ends the process only in entry points', () => {
    const wrong = files.filter(({ path, code }) => /\bprocess\.exit\(/.test(code) && !exitHomes.test(path));
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  it('starts child processes by execa, except where a channel, a replacement of the process, or speed is needed', () => {
    const wrong = files.filter(({ packages }) => packages.includes('node:child_process'));
    expect(wrong.map(({ path }) => path).filter((path) => !childProcessHomes.has(path))).toEqual([]);
  });

  it('names files in kebab-case, by what they hold', () => {
    const wrong = files
      .map(({ path }) => path)
      .filter((path) => !/^[a-z0-9]+(-[a-z0-9]+)*\.ts$/.test(basename(path)) || forbiddenName.test(basename(path)));
    expect(wrong).toEqual([]);
  });

  it(`has no file of more than ${maxLines} lines`, () => {
    const long = files.filter(({ text }) => text.split('\n').length > maxLines + 1);
    expect(long.map(({ path, text }) => `${path}: ${text.split('\n').length}`)).toEqual([]);
  });

  it('says on the index of each area what the area is', () => {
    const areas = [...new Set(src.map(({ path }) => areaOf(path)))].filter((area) => area !== '' && area !== 'bin');
    const silent = areas.filter((area) => {
      const index = src.find(({ path }) => path === `src/${area}/index.ts`);
      return !index?.text.startsWith('/**');
    });
    expect(silent).toEqual([]);
  });

  it('says on top of each entry point what the process is', () => {
    const silent = src.filter(({ path, text }) => areaOf(path) === 'bin' && !text.startsWith('/**'));
    expect(silent.map(({ path }) => path)).toEqual([]);
  });

  it('leaves nothing undone in the sources', () => {
    const undone = files.filter(({ text }) => /\b(TODO|FIXME|XXX|HACK)\b/.test(text));
    expect(undone.map(({ path }) => path)).toEqual([]);
  });
});
