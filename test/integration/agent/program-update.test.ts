/** An agent that takes another program of itself: the real launcher, real processes, real bundles, and the power gone. */
import { readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasEnded, type ProgramUpdate } from '../../../src/agent/program/program-update.ts';
import { ensureAgentSchema } from '../../../src/agent/state/agent-schema.ts';
import { buildAgentBundle } from '../../../src/cli/agent-bundle.ts';
import { judgeProgramEvidence } from '../../../src/coordinator/rollout/judge-program-evidence.ts';
import { readPublicKey, writeKeyPair } from '../../../src/firmware/index.ts';
import type { UpdateEvent } from '../../../src/protocol/event.ts';
import { launchedAgent } from '../../support/launched-agent.ts';
import type { ProgramProcessOption } from '../../support/program-process.ts';
import { sample } from '../../support/sample.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { offerOf } from '../../support/updating-device.ts';

let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
let key: { publicKeyPath: string; privateKeyPath: string };
let made = 0;

beforeAll(async () => {
  dir = await temporaryDirectory();
  key = await writeKeyPair(join(dir.path, 'key'));
});
afterAll(() => dir[Symbol.asyncDispose]());

const processFile = JSON.stringify(join(import.meta.dirname, '../../support/program-process.ts'));
/** A program as the build makes one: CommonJS in one file; `before` runs first. */
const programOf = (version: string, before = '') =>
  `${before}\nrequire(${processFile}).runProgram('${version}', process.argv[3]).catch((error) => { console.error(error); process.exit(1); });\n`;
const good = programOf('2.0.0');

interface Device {
  uuid: string;
  /** Starts the launcher until nothing is under way, as an init does. Returns what each start ended with. */
  settle(): Promise<number[]>;
  record(): ProgramUpdate | undefined;
  events(): UpdateEvent[];
  /** The version of what the launcher starts now. */
  runs(): Promise<string>;
  effects(): Promise<number>;
  programs(): Promise<string[]>;
}

async function bundleOf(program: string, name: string): Promise<string> {
  const agentFile = join(dir.path, `${name}.js`);
  await writeFile(agentFile, program);
  const outputPath = join(dir.path, `${name}.fw`);
  await buildAgentBundle({ agentFile, version: '2.0.0', outputPath, privateKeyPath: key.privateKeyPath });
  return outputPath;
}

async function device(
  bundle: string,
  { unlinked = [], ...option }: Partial<ProgramProcessOption> = {},
): Promise<Device> {
  const directory = join(dir.path, `device-${++made}`);
  await mkdir(directory);
  const optionFile = join(directory, 'option.json');
  const { bundle: offered, expiresAtMs } = await offerOf(bundle, 'u1');
  const agent = await launchedAgent(directory, {
    program: programOf('1.0.0'),
    interpreter: [process.execPath, '--disable-warning=ExperimentalWarning'],
    arguments: ['run', optionFile],
  });
  const state = join(directory, 'state');
  const publicKeys = [(await readPublicKey(key.publicKeyPath)).toString('hex')];
  const said: ProgramProcessOption = {
    directory: state,
    bundle,
    publicKeys,
    offer: { updateId: 'u1', bundle: offered, expiresAtMs },
    unlinked,
    ...option,
  };
  await writeFile(optionFile, JSON.stringify(said));
  const read = <Result>(query: (database: DatabaseSync) => Result): Result => {
    const database = new DatabaseSync(join(state, 'agent.db'));
    try {
      ensureAgentSchema(database);
      return query(database);
    } finally {
      database.close();
    }
  };
  const record = () =>
    read((database) => {
      const row = database.prepare('SELECT record FROM agent_program_update').get();
      return row === undefined ? undefined : (JSON.parse(String(row['record'])) as ProgramUpdate);
    });
  return {
    uuid: offered.bundleUuid,
    record,
    async settle() {
      const codes: number[] = [];
      for (;;) {
        const { exitCode, signal } = await agent.start();
        codes.push(exitCode ?? (signal === 'SIGKILL' ? 137 : -1));
        const now = record();
        if (exitCode === 0 && now !== undefined && hasEnded(now)) return codes;
        if (codes.length > 12) throw new Error(`no end in sight: ${codes.join(' ')} ${JSON.stringify(now)}`);
      }
    },
    events: () =>
      read((database) =>
        database
          .prepare("SELECT payload FROM outbox WHERE type = 'flotilla.update' ORDER BY seq")
          .all()
          .map(({ payload }) => JSON.parse(Buffer.from(payload as Uint8Array).toString()) as UpdateEvent),
      ),
    async runs() {
      await writeFile(join(directory, 'probe.json'), '{}');
      const launcher = await readFile(join(directory, 'launch'), 'utf8');
      const probe = join(directory, 'probe');
      await writeFile(probe, launcher, { mode: 0o755 });
      const { execa } = await import('execa');
      const { stdout } = await execa(probe, ['cat', agent.installed]);
      return /runProgram\('([^']*)'/.exec(stdout)?.[1] ?? stdout;
    },
    effects: async () => Number(readFileSync(join(state, 'effects'), 'utf8')),
    programs: async () => (await readdir(agent.programs).catch(() => [])).toSorted(),
  };
}

describe('an update of the agent', () => {
  it('is tried, proven, and kept', async () => {
    const on = await device(await bundleOf(good, 'good'));
    expect(await on.settle()).toEqual([0, 0]);
    const record = on.record()!;
    expect(record).toMatchObject({ state: 'committed', before: { version: '1.0.0' }, after: { version: '2.0.0' } });
    expect(await on.runs()).toBe('2.0.0');
    const events = on.events();
    expect(events.map(({ state }) => state)).toEqual(['downloading', 'installing', 'testing', 'testing', 'committed']);
    expect(events.every(({ source }) => source === 'agent')).toBe(true);
    expect(judgeProgramEvidence(events.at(-1)!.evidence, on.uuid)).toEqual({ proven: true });
    expect(await on.programs()).toEqual([on.uuid, 'current'].toSorted());
  });

  const bad = [
    ['does not even start', 'this is no program (', 'trial-exhausted', 'exit code 1, exit code 1, exit code 1'],
    ['dies as it starts', `process.abort();\n${good}`, 'trial-exhausted', 'signal 6, signal 6, signal 6'],
    [
      'opens no database',
      programOf('2.0.0', "require('node:sqlite').DatabaseSync = class { constructor() { throw new Error('no'); } };"),
      'trial-exhausted',
      'exit code',
    ],
    ['reaches no coordinator', programOf('lonely'), 'no-coordinator', 'no link to the coordinator'],
  ] as const;
  it.each(bad)('that %s is gone back from', async (name, program, code, message) => {
    const on = await device(await bundleOf(program, name.replaceAll(' ', '-')), { unlinked: ['lonely'] });
    const codes = await on.settle();
    expect(codes.length).toBeLessThanOrEqual(5);
    expect(on.record()).toMatchObject({
      state: 'rolled-back',
      reason: { code, message: expect.stringContaining(message) as string },
      after: { version: '1.0.0' },
    });
    expect(await on.runs()).toBe('1.0.0');
    expect(await on.programs()).toEqual([]);
  });
});

describe('an agent whose power goes', () => {
  // Before some effect of either on the disk, in npm run test:long before each.
  it.each([
    { name: 'power', program: good, end: 'committed', runs: '2.0.0', starts: 2, step: 24 },
    { name: 'power-bad', program: 'this is no program (', end: 'rolled-back', runs: '1.0.0', starts: 5, step: 60 },
  ])(
    'ends with one whole program ($end), and with no false word of it',
    async ({ name, program, end, runs, starts, step }) => {
      const bundle = await bundleOf(program, name);
      const whole = await device(bundle);
      await whole.settle();
      const effects = await whole.effects();
      expect(effects).toBeGreaterThan(20);
      const cuts = Array.from({ length: effects - 2 }, (_, index) => index + 3);
      for (const cutAt of sample(cuts, step)) {
        const on = await device(bundle, { cutAt });
        const codes = await on.settle();
        expect(
          codes.filter((code) => code === 137),
          `cut at ${cutAt}`,
        ).toHaveLength(1);
        // The one that was cut, and never more starts of what is on trial than three.
        expect(codes.length, `cut at ${cutAt}`).toBeLessThanOrEqual(starts + 1);
        expect(on.record()!.state, `cut at ${cutAt}`).toBe(end);
        expect(await on.runs(), `cut at ${cutAt}`).toBe(runs);
      }
    },
    900_000,
  );
});
