/**
 * Releases that are bad in eight ways, on eight boards of one fleet at once: each ends on the old slot with the cause
 * named, and none is tried again before somebody allows it. `npm test` has three of them.
 */
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import type { VirtualBoard } from '../../src/board/index.ts';
import { CoordinatorClient } from '../../src/client/coordinator-client.ts';
import type { Release, Rollout, RolloutDevice } from '../../src/client/contract/index.ts';
import { HttpConnection } from '../../src/client/http-connection.ts';
import type { DoorStatus } from '../../src/door/index.ts';
import { createBoardFleet, type BoardFleet } from '../support/board-fleet.ts';
import { eventually } from '../support/eventually.ts';
import { canMount, mountSmallDisk, type SmallDisk } from '../support/small-disk.ts';
import { smallProduct, type SmallProduct } from '../support/small-product.ts';

const isLong = process.env['FLOTILLA_TESTS'] === 'long';

interface BadUpdate {
  /** Files of the rootfs that this release has otherwise. */
  changes(board: VirtualBoard): Promise<Record<string, string>>;
  code: string;
  message: RegExp;
  /** Slots that the board's own log names, from the first boot to the last. */
  boots: string[];
  /** Before the first power-on. */
  prepare?(board: VirtualBoard): Promise<void>;
  /** What has to be so on the old slot beside the rest. */
  after?(board: VirtualBoard): Promise<void>;
  needsMount?: true;
  isSample?: true;
}

const check = (script: string) => ({ 'usr/lib/health/meter.sh': `#!/bin/sh\n${script}\n` });
const stateOf = ({ path }: VirtualBoard) => join(path.data, 'state');

const badUpdates: Record<string, BadUpdate> = {
  'no-boot': {
    changes: () => Promise.resolve({ 'etc/board.yaml': 'agent: [' }),
    code: 'bootloader-fallback',
    message: /did not come up/,
    boots: ['a', 'b', 'b', 'a'],
    isSample: true,
  },
  'agent-dies': {
    changes: () =>
      Promise.resolve({
        'etc/board.yaml':
          'agent: { argv: [flotilla, agent, run, --config, /etc/none.yaml] }\nrespawn: { firstDelaySeconds: 0.2, maxDelaySeconds: 1 }\n',
      }),
    code: 'bootloader-fallback',
    message: /did not come up/,
    boots: ['a', 'b', 'b', 'a'],
  },
  'no-network': {
    // The release brings a configuration of its own, with another port.
    async changes(board) {
      const document = await configOf(board);
      for (const name of ['key', 'certificate', 'authority']) {
        const relative = String(document.getIn(['identity', name]));
        document.setIn(['identity', name], join(board.path.data, relative));
      }
      document.set('state', stateOf(board));
      document.setIn(['update', 'keys'], [join(board.path.data, 'firmware.pub')]);
      document.setIn(['coordinator', 'port'], 1);
      return {
        'etc/agent.yaml': document.toString(),
        'etc/board.yaml':
          'agent: { argv: [flotilla, agent, run, --config, /etc/agent.yaml] }\nrespawn: { firstDelaySeconds: 0.2, maxDelaySeconds: 1 }\n',
      };
    },
    code: 'not-connected',
    message: /the coordinator was not reached within 3 s .*ECONNREFUSED/,
    boots: ['a', 'b', 'a'],
  },
  'late-failure': {
    changes: () => Promise.resolve(check('[ -e ./ran ] && exit 3; touch ./ran')),
    code: 'health-check',
    message: /after the soak: health check failed: meter \(exit 3\)/,
    boots: ['a', 'b', 'a'],
    isSample: true,
  },
  hanging: {
    changes: () => Promise.resolve(check('sleep 600')),
    code: 'health-check',
    message: /health check failed: meter \(no end within 1500 ms\)/,
    boots: ['a', 'b', 'a'],
  },
  'full-disk': {
    changes: (board) =>
      Promise.resolve(check(`dd if=/dev/zero of=${join(board.path.data, 'junk')} bs=64k 2>/dev/null; true`)),
    code: 'no-room',
    message: /the data partition is full: 0 bytes are free/,
    boots: ['a', 'b', 'a'],
    needsMount: true,
    isSample: true,
  },
  permissions: {
    changes: (board) => Promise.resolve(check(`chmod -R 0777 ${board.path.data}; exit 5`)),
    code: 'health-check',
    message: /health check failed: meter \(exit 5\)/,
    boots: ['a', 'b', 'a'],
    async after(board) {
      const mode = (await stat(join(board.path.data, 'device.key'))).mode & 0o777;
      expect(mode.toString(8)).toBe('600');
    },
  },
  'new-database': {
    // What a later agent's migrations may do: tables and columns with defaults.
    changes: (board) => {
      const sql =
        "ALTER TABLE agent_update ADD COLUMN later TEXT NOT NULL DEFAULT 'x'; CREATE TABLE agent_later (one INTEGER); PRAGMA user_version = 99";
      const program = `const{DatabaseSync}=require('node:sqlite');const d=new DatabaseSync('${stateOf(board)}/agent.db',{timeout:5000});d.exec(\`${sql}\`);d.close()`;
      return Promise.resolve(check(`${process.execPath} -e "${program.replaceAll('`', '\\`')}" || exit 9\nexit 6`));
    },
    code: 'health-check',
    message: /health check failed: meter \(exit 6\)/,
    boots: ['a', 'b', 'a'],
    after(board) {
      const database = new DatabaseSync(join(stateOf(board), 'agent.db'), { readOnly: true });
      const { later } = database.prepare('SELECT later FROM agent_update').get() as { later: string };
      database.close();
      expect(later).toBe('x');
      return Promise.resolve();
    },
  },
};

const mounts = canMount();
const names = Object.keys(badUpdates).filter((name) => {
  const { isSample, needsMount } = badUpdates[name]!;
  return (isLong || isSample === true) && (mounts || needsMount !== true);
});

let boards: BoardFleet;
let client: CoordinatorClient;
let product: SmallProduct;
const mounted: SmallDisk[] = [];
const releases = new Map<string, Release>();

async function configOf({ path }: VirtualBoard) {
  return parseDocument(await readFile(join(path.data, 'agent.yaml'), 'utf8'));
}

async function prepare(board: VirtualBoard): Promise<void> {
  const document = await configOf(board);
  const update = { connectTimeoutSeconds: board.deviceId === 'no-network' ? 3 : 40, soakSeconds: 1 };
  for (const [name, value] of Object.entries(update)) document.setIn(['update', 'health', name], value);
  document.setIn(['update', 'health', 'checks', 1, 'timeoutMs'], board.deviceId === 'hanging' ? 1_500 : 10_000);
  await writeFile(join(board.path.data, 'agent.yaml'), document.toString());
}

/** The data partition as a file system of its own, with what is on it already. */
async function mountData({ path }: VirtualBoard): Promise<void> {
  const kept = new Map<string, Buffer>();
  const files = ['agent.yaml', 'grains.yaml', 'firmware.pub', 'device.key', 'device.crt', 'authority.crt'];
  for (const name of files) kept.set(name, await readFile(join(path.data, name)));
  await mkdir(path.data, { recursive: true });
  mounted.push(await mountSmallDisk(path.data, 16 * 1024 * 1024));
  for (const [name, bytes] of kept) await writeFile(join(path.data, name), bytes, { mode: 0o600 });
  await chmod(path.data, 0o700);
}

const startRollout = (id: string) =>
  client.startRollout({ release: releases.get(id)!.id, selector: id, expect: 1, maxFailures: 5 });

function ended(rollout: Rollout, id: string): Promise<RolloutDevice> {
  const endings = ['committed', 'rolled-back', 'failed', 'rejected', 'cancelled', 'timed-out', 'already'];
  return eventually(
    `${id} has ended`,
    async () => {
      const device = (await client.rollout(rollout.id)).devices![0]!;
      return endings.includes(device.state) && device;
    },
    { timeoutMs: 150_000, everyMs: 200 },
  );
}

const isBack = (id: string) =>
  eventually(
    `${id} is back`,
    async () => {
      const { connected, running } = await client.device(id);
      return connected && running?.slot === 'a' && running.bootId === (await boards.boots(id)).at(-1)!.bootId;
    },
    { timeoutMs: 60_000, everyMs: 200 },
  );

beforeAll(async () => {
  boards = await createBoardFleet({
    ids: names,
    hardware: { watchdogMs: 8_000, firstTouchMs: 10_000 },
    async prepare(board) {
      await prepare(board);
      if (badUpdates[board.deviceId]!.needsMount) await mountData(board);
    },
  });
  client = new CoordinatorClient(new HttpConnection(join(boards.fleet.dir, 'run', 'api.sock')));
  const privateKeyPath = join(boards.fleet.dir, 'keys', 'firmware.priv');
  product = await smallProduct(join(boards.fleet.scratch, 'small'), { fillerBytes: 200_000, privateKeyPath });
  for (const [index, name] of names.entries()) {
    const changes = await badUpdates[name]!.changes(boards.boards.get(name)!);
    const { path } = await product.build(`2.0.${index}`, changes);
    releases.set(name, await boards.cli.run<Release>(['release', 'publish', path]));
  }
}, 180_000);
afterAll(async () => {
  await Promise.all([...(boards?.boards.values() ?? [])].map((board) => board.powerOff()));
  for (const disk of mounted) await disk[Symbol.asyncDispose]();
  await boards?.[Symbol.asyncDispose]();
});

describe('a release that is bad', { timeout: 180_000 }, () => {
  it('ends on the old slot with the cause named, and is not tried again', async () => {
    const ends = await Promise.all(
      names.map(async (name) => [name, await ended(await startRollout(name), name)] as const),
    );
    for (const [name, { state, reason }] of ends) {
      const { code, message, boots, after } = badUpdates[name]!;
      expect([name, state, reason?.code]).toEqual([name, 'rolled-back', code]);
      expect(reason!.message).toMatch(message);
      await isBack(name);
      const board = boards.boards.get(name)!;
      expect([name, (await boards.boots(name)).map(({ slot }) => slot)]).toEqual([name, boots]);
      expect(Object.fromEntries(await board.readEnvironment())).toMatchObject({
        active_slot: 'a',
        upgrade_available: '0',
      });
      const { quarantinedBundles } = await client.device(name);
      expect(quarantinedBundles).toEqual([releases.get(name)!.bundleUuid]);
      const { conclusion } = await client.why(name, {});
      expect(conclusion).toContain(reason!.message.slice(0, 40));
      await after?.(board);
    }
    const [first] = names;
    const [, device] = ends[0]!;
    const shown = await boards.fleet.cli(['why', first!]);
    expect(shown.stdout).toContain(device.reason!.message);

    // The coordinator does not offer them again.
    const again = await Promise.all(names.map(async (name) => ended(await startRollout(name), name)));
    expect(again.map(({ state, reason }) => [state, reason?.code])).toEqual(
      names.map(() => ['rejected', 'bundle-quarantined']),
    );
  });

  it('is refused by the device itself, when the coordinator has forgotten; and both learn that it is allowed', async () => {
    const id = 'late-failure';
    const { bundleUuid } = releases.get(id)!;
    const { store } = await client.status();
    await boards.fleet.stopCoordinator();
    const database = new DatabaseSync(store.path);
    database.exec(`UPDATE device SET quarantined_bundles = '[]'`);
    database.close();
    await boards.fleet.startCoordinator();
    await boards.online([id]);
    expect((await client.device(id)).quarantinedBundles).toEqual([]);
    const boots = (await boards.boots(id)).length;
    const refused = await ended(await startRollout(id), id);
    expect([refused.state, refused.reason?.code]).toEqual(['rejected', 'bundle-quarantined']);
    expect(refused.reason!.message).toContain('after the soak: health check failed: meter (exit 3)');
    expect((await boards.boots(id)).length).toBe(boots);
    expect((await client.device(id)).quarantinedBundles).toEqual([bundleUuid]);

    // At the device.
    const config = join(boards.boards.get(id)!.path.data, 'agent.yaml');
    const status = await boards.cli.run<DoorStatus>(['agent', 'status', '--config', config]);
    expect(status.revertedBundles).toMatchObject([{ bundleUuid, version: releases.get(id)!.version }]);
    const allowed = await boards.cli.run<object>(['agent', 'allow-bundle', bundleUuid, '--config', config]);
    expect(allowed).toEqual({ bundleUuid, wasReverted: true });
    await eventually('the coordinator knows', async () => (await client.device(id)).quarantinedBundles.length === 0);
    const tried = await ended(await startRollout(id), id);
    expect([tried.state, tried.reason?.code]).toEqual(['rolled-back', 'health-check']);

    // At the coordinator, for a device that is switched off.
    await isBack(id);
    const board = boards.boards.get(id)!;
    await board.powerOff();
    await eventually('it is away', async () => !(await client.device(id)).connected);
    const order = await boards.cli.run<object>(['device', 'allow-bundle', id, releases.get(id)!.id]);
    expect(order).toEqual({ bundleUuid, devices: [{ deviceId: id, wasQuarantined: true, state: 'waiting' }] });
    await board.powerOn();
    const once = await ended(await startRollout(id), id);
    expect([once.state, once.reason?.code]).toEqual(['rolled-back', 'health-check']);
    const actions = (await client.audit({})).filter(({ action }) => action === 'bundle.allow');
    expect(actions.map(({ actor }) => actor.startsWith('system:'))).toEqual([true, false]);
  });
});
