/** The update path on virtual boards: what happens when the new agent does not start, or the running one is killed. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import type { CoordinatorStatus, Release, Rollout, RolloutDevice, Why } from '../../src/client/contract/index.ts';
import { buildProductImages, productPath } from '../../src/board/index.ts';
import { buildBundle, writeKeyPair } from '../../src/firmware/index.ts';
import { createBoardFleet, type BoardFleet } from '../support/board-fleet.ts';
import { eventually } from '../support/eventually.ts';

const start = (boards: BoardFleet, release: string, ...more: string[]) =>
  boards.cli.run<Rollout>(['rollout', 'start', release, '*', '--expect', String(boards.boards.size), '--yes', ...more]);

const deviceIn = (rollout: Rollout, id: string): RolloutDevice =>
  rollout.devices!.find(({ deviceId }) => deviceId === id)!;

const ended = (boards: BoardFleet, id: string, timeoutMs = 90_000) =>
  eventually(
    `rollout ${id} has ended`,
    async () => {
      const rollout = await boards.rollout(id);
      return rollout.state !== 'running' && rollout;
    },
    { timeoutMs, everyMs: 200 },
  );

describe('a release whose agent never starts', () => {
  it('is left by boot count; the device returns on the old slot and the rollout halts', async () => {
    const hardware = { watchdogMs: 2500, firstTouchMs: 4000 };
    await using boards = await createBoardFleet({ ids: ['hm-1', 'hm-2'], hardware });
    const release = await boards.release('4.0.0', {
      'etc/board.yaml':
        'agent: { argv: [/usr/bin/flotilla-agent] }\nrespawn: { firstDelaySeconds: 0.2, maxDelaySeconds: 1 }\n',
    });
    const before = await boards.boots('hm-1');
    const started = await start(boards, release.id, '--phase', '1', '--phase', 'rest', '--max-failures', '1');
    const rollout = await ended(boards, started.id);

    expect(rollout.state).toBe('halted');
    const tried = rollout.devices!.filter(({ state }) => state !== 'waiting');
    expect(tried).toHaveLength(1);
    const { deviceId, state, reason } = tried[0]!;
    expect([state, reason?.code]).toEqual(['rolled-back', 'bootloader-fallback']);
    // The board's own log: two boots of the new slot, as bootlimit allows, then the old slot.
    const boots = (await boards.boots(deviceId)).map(({ slot, why, version }) => [slot, why, version]);
    expect(boots).toEqual([
      ['a', 'power-on', '1.0.0'],
      ['b', 'reboot', '4.0.0'],
      ['b', 'watchdog', '4.0.0'],
      ['a', 'watchdog', '1.0.0'],
    ]);
    await boards.online();
    const environment = await boards.boards.get(deviceId)!.readEnvironment();
    expect(Object.fromEntries(environment)).toMatchObject({ active_slot: 'a', upgrade_available: '0' });
    // The other device was never touched, and says why.
    const other = deviceId === 'hm-1' ? 'hm-2' : 'hm-1';
    expect(await boards.boots(other)).toHaveLength(before.length);
    const why = await boards.cli.run<Why>(['why', other]);
    expect(why.rules.some(({ verdict }) => verdict === 'blocks')).toBe(true);
    // The device has learnt: the same bundle is not offered to it again.
    const device = await boards.cli.run<{ quarantinedBundles: string[] }>(['device', 'show', deviceId]);
    expect(device.quarantinedBundles).toEqual([release.bundleUuid]);
  });
});

describe('a small change', () => {
  it('goes to the devices as a delta that was made when it was published, and is proven like the whole', async () => {
    await using boards = await createBoardFleet({ ids: ['hm-1'] });
    await boards.cli.run(['release', 'publish', join(boards.fleet.scratch, 'harbour-meter-1.0.0.fw')]);
    const published = await boards.cli.run<Release>(['release', 'publish', await buildFix(boards.fleet)]);
    const release = await eventually(
      'the delta is made',
      async () => {
        const shown = await boards.cli.run<Release>(['release', 'show', published.id]);
        return shown.deltas !== undefined && shown;
      },
      { timeoutMs: 60_000, everyMs: 300 },
    );
    expect(release.deltas).toEqual([
      { fromVersion: '1.0.0', fromUuid: expect.any(String), sizeBytes: expect.any(Number) },
    ]);
    const { sizeBytes } = release.deltas![0]!;
    expect(sizeBytes).toBeLessThan(0.1 * release.sizeBytes);

    const started = await start(boards, release.id);
    const rollout = await ended(boards, started.id);
    expect(rollout.state).toBe('completed');
    const { evidence } = deviceIn(rollout, 'hm-1');
    expect(evidence).toMatchObject({ slotDigestMatches: true, downloadedBytes: sizeBytes });
    expect(evidence!.deltaFrom).toBe(evidence!.before.bundleUuid);
    expect((await boards.boots('hm-1')).map(({ slot, version }) => [slot, version])).toEqual([
      ['a', '1.0.0'],
      ['b', '1.0.1'],
    ]);
  });
});

describe('an agent that is killed alone', () => {
  it('is started again and goes on; nothing takes that for a restart of the device', async () => {
    await using boards = await createBoardFleet({ ids: ['hm-1'] });
    const board = boards.boards.get('hm-1')!;
    const release = await boards.release('2.0.0');
    const [first] = await boards.boots('hm-1');

    // Idle.
    await board.signalAgent('SIGKILL');
    await eventually(
      'the agent was started again',
      async () => (await board.readLog()).filter(({ event }) => event === 'agent-start').length === 2,
    );
    await boards.online();

    const started = await start(boards, release.id);
    const kills = { downloading: 0, testing: 0 };
    // On trial is the agent from its first word on the new slot: by the board's own log, as it may be short.
    const killOnTrial = async () => {
      await eventually(
        'the agent of the new slot has started',
        async () => {
          const log = await board.readLog();
          const second = log.findLastIndex((record) => record.event === 'boot' && record.slot === 'b');
          if (second === -1 || !log.slice(second).some(({ event }) => event === 'agent-start')) return false;
          const words = (await boards.agentLog('hm-1')).filter(({ msg }) => msg === 'agent started');
          return words.length >= log.filter(({ event }) => event === 'agent-start').length;
        },
        { timeoutMs: 60_000, everyMs: 20 },
      );
      kills.testing += 1;
      await board.signalAgent('SIGKILL');
    };
    const killed = killOnTrial();
    const rollout = await eventually(
      'the rollout has ended',
      async () => {
        const now = await boards.rollout(started.id);
        const { state } = deviceIn(now, 'hm-1');
        if (state === 'downloading' && kills.downloading === 0) {
          kills.downloading += 1;
          await board.signalAgent('SIGKILL');
        }
        return now.state !== 'running' && now;
      },
      { timeoutMs: 60_000, everyMs: 20 },
    );

    await killed;
    expect(rollout.state).toBe('completed');
    expect(kills.testing).toBe(1);
    const boots = await boards.boots('hm-1');
    expect(boots.map(({ slot, why }) => [slot, why])).toEqual([
      ['a', 'power-on'],
      ['b', 'reboot'],
    ]);
    const { evidence } = deviceIn(rollout, 'hm-1');
    expect(evidence?.before.bootId).toBe(first!.bootId);
    expect(evidence?.after?.bootId).toBe(boots[1]!.bootId);
    // What the coordinator heard: the agent started often, the machine twice.
    const events = await boards.cli.rows(['event', 'tail', '--from', '1', '--type', 'flotilla.boot']);
    const told = events.map((event) => (event as { payload: { running: { bootId: string } } }).payload.running.bootId);
    expect(told.length).toBeGreaterThanOrEqual(4);
    expect(new Set(told)).toEqual(new Set(boots.map(({ bootId }) => bootId)));
  });
});

describe('a bundle without a good signature', () => {
  it('is refused by the device itself, when the coordinator trusts a key that the device does not know', async () => {
    await using boards = await createBoardFleet({ ids: ['hm-1'] });
    const { fleet } = boards;
    const { privateKeyPath } = await writeKeyPair(join(fleet.dir, 'keys', 'other'));
    const bundle = await build(fleet.scratch, { privateKeyPath });
    const release = await boards.cli.run<Release>(['release', 'publish', bundle]);
    expect(await refusal(boards, release)).toBe('bundle-untrusted');
  });

  it('is refused by the device itself, when a coordinator that was taken over hands out an unsigned copy', async () => {
    await using boards = await createBoardFleet({ ids: ['hm-1'] });
    const { fleet } = boards;
    const release = await boards.release('6.6.6');
    const status = await boards.cli.run<CoordinatorStatus>(['coordinator', 'status']);
    await fleet.stopCoordinator();
    await swapForUnsigned(status, release, await build(fleet.scratch, {}));
    await fleet.startCoordinator();
    await boards.online();
    expect(await refusal(boards, release)).toBe('bundle-untrusted');
  });
});

/** 6.6.6, the same bytes at each call but for the signature. */
/** 1.0.1: all of 1.0.0 but the files that name the version. */
async function buildFix({ scratch, dir }: BoardFleet['fleet']): Promise<string> {
  const productDir = productPath();
  const name = await readFile(join(productDir, 'overlay', 'etc', 'os-release'), 'utf8');
  const changes = { 'etc/os-release': name.replaceAll('@VERSION@', '1.0.1') };
  const outDir = join(scratch, 'image', 'fix');
  const { variables } = await buildProductImages({ productDir, outDir, version: '1.0.0', changes });
  const outputPath = join(scratch, 'fix.fw');
  await buildBundle({
    configPath: join(productDir, 'fwup.conf'),
    outputPath,
    variables: { ...variables, HM_VERSION: '1.0.1' },
    compressionLevel: 1,
    privateKeyPath: join(dir, 'keys', 'firmware.priv'),
  });
  return outputPath;
}

async function build(scratch: string, key: { privateKeyPath?: string }): Promise<string> {
  const productDir = productPath();
  const outDir = join(scratch, 'image', 'hand-made');
  const { variables } = await buildProductImages({ productDir, outDir, version: '6.6.6' });
  const outputPath = join(scratch, 'hand-made.fw');
  await buildBundle({ configPath: join(productDir, 'fwup.conf'), outputPath, variables, compressionLevel: 1, ...key });
  return outputPath;
}

/** What an intruder with the coordinator's disk could do: everything fits together, only the signature is missing. */
async function swapForUnsigned(
  { store, blobDirectory }: CoordinatorStatus,
  release: Release,
  path: string,
): Promise<void> {
  const bytes = await readFile(path);
  const sha256Of = (part: Buffer) => createHash('sha256').update(part).digest('hex');
  const partSha256: string[] = [];
  for (let at = 0; at < bytes.length; at += release.partBytes)
    partSha256.push(sha256Of(bytes.subarray(at, at + release.partBytes)));
  const sha256 = sha256Of(bytes);
  await writeFile(join(blobDirectory, sha256), bytes);
  const database = new DatabaseSync(store.path);
  const row = database.prepare('SELECT document FROM release WHERE id = ?').get(release.id) as { document: string };
  const document = JSON.parse(row.document) as { release: object; offer: object };
  const swapped = { sha256, sizeBytes: bytes.length };
  const changed = {
    ...document,
    release: { ...document.release, ...swapped },
    offer: { ...document.offer, ...swapped, partSha256 },
  };
  database
    .prepare('UPDATE release SET document = ?, sha256 = ? WHERE id = ?')
    .run(JSON.stringify(changed), sha256, release.id);
  database.close();
}

/** Rolls it out; nothing of it may be written. Returns the device's reason. */
async function refusal(boards: BoardFleet, release: Release): Promise<string | undefined> {
  const board = boards.boards.get('hm-1')!;
  const disk = await readFile(board.path.disk);
  const started = await start(boards, release.id);
  const device = await eventually('the device has refused', async () => {
    const found = deviceIn(await boards.rollout(started.id), 'hm-1');
    return ['rejected', 'failed', 'committed', 'rolled-back'].includes(found.state) && found;
  });
  expect(device.state).toBe('rejected');
  expect((await readFile(board.path.disk)).equals(disk)).toBe(true);
  expect(await boards.boots('hm-1')).toHaveLength(1);
  return device.reason?.code;
}
