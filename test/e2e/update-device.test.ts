/** What people and programs at a device can do about an update, from the command line, and what the operator sees of it. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseDocument, stringify } from 'yaml';
import type { VirtualBoard } from '../../src/board/index.ts';
import type { Rollout, RolloutDevice, Why } from '../../src/client/contract/index.ts';
import { openDoor, type UpdateRecord, type UpdateStatus } from '../../src/door/index.ts';
import { createBoardFleet, type BoardFleet } from '../support/board-fleet.ts';
import { eventually } from '../support/eventually.ts';

let boards: BoardFleet;

/** The owner wants to be asked, the product has to speak, and a hook writes down what it is told. */
async function laidDown(board: VirtualBoard): Promise<void> {
  const { data } = board.path;
  const file = join(data, 'agent.yaml');
  const document = parseDocument(await readFile(file, 'utf8'));
  document.setIn(['update', 'approval'], 'required');
  document.setIn(['update', 'health', 'product'], document.createNode({ timeoutSeconds: 60 }));
  await writeFile(file, document.toString());
  for (const state of ['verified', 'committed']) {
    await mkdir(join(data, 'hooks', 'update', `${state}.d`), { recursive: true });
    const script = '#!/bin/sh\necho "$FLOTILLA_UPDATE_FROM_VERSION to $FLOTILLA_UPDATE_VERSION"\n';
    await writeFile(join(data, 'hooks', 'update', `${state}.d`, '10-note'), script, { mode: 0o755 });
  }
}

beforeAll(async () => {
  boards = await createBoardFleet({ ids: ['hm-1'], prepare: laidDown });
});
afterAll(() => boards?.[Symbol.asyncDispose]());

const data = () => boards.boards.get('hm-1')!.path.data;
const atDevice = (...args: string[]) =>
  boards.fleet.cli(['agent', 'update', ...args, '--config', join(data(), 'agent.yaml'), '--json']);
const asked = async <Answer>(...args: string[]): Promise<Answer> => (await atDevice(...args)).json() as Answer;
const program = () => openDoor({ socket: join(data(), 'door.sock') });

const start = (release: string) =>
  boards.cli.run<Rollout>(['rollout', 'start', release, '*', '--expect', '1', '--yes']);

function device(rolloutId: string, what: string, is: (device: RolloutDevice) => boolean): Promise<RolloutDevice> {
  return eventually(
    what,
    async () => {
      const [found] = (await boards.rollout(rolloutId)).devices!;
      return is(found!) && found!;
    },
    { timeoutMs: 60_000, everyMs: 300 },
  );
}

describe('an update that its device has something to say about', () => {
  it('waits to be approved, is put off, is held up at the restart, and is proven by the word of the product', async () => {
    expect(await asked('status')).toEqual({ configured: true });
    expect((await atDevice('approve')).exitCode).toBe(6);
    const release = (await boards.release('2.0.0')).id;
    const plan = join(boards.fleet.scratch, 'plan.yaml');
    expect((await boards.fleet.cli(['rollout', 'plan', release, '*', '-o', plan])).exitCode).toBe(0);
    const { id } = await start(release);

    const waiting = await device(id, 'it waits to be approved', ({ wait }) => wait?.code === 'needs-approval');
    expect(waiting.state).toBe('verified');
    const why = await boards.cli.run<Why>(['why', 'hm-1']);
    expect(JSON.stringify(why.rules)).toContain('needs-approval');
    expect(await asked<UpdateStatus>('status')).toMatchObject({
      update: { version: '2.0.0', state: 'verified', needsApproval: true, wait: { code: 'needs-approval' } },
    });

    // Put off first, so that the approval alone does not let it go on.
    const deferred = await asked<{ untilMs: number }>('defer', '2h', '--reason', 'a patient is connected');
    expect(deferred.untilMs).toBeGreaterThan(Date.now() + 3_600_000);
    expect((await atDevice('approve')).exitCode).toBe(0);
    const off = await device(id, 'it is put off', ({ wait }) => wait?.code === 'deferred');
    expect(off).toMatchObject({ state: 'verified', wait: { message: 'a patient is connected' } });

    const holder = await program();
    await holder.holdReboot('brewing');
    expect((await atDevice('defer', '--end')).exitCode).toBe(0);
    await device(
      id,
      'the restart is held up',
      ({ state, wait }) => state === 'rebooting' && wait?.code === 'reboot-held',
    );
    expect((await atDevice('reject', '--reason', 'too late')).json()).toMatchObject({
      error: { code: 'update-too-late' },
    });
    await holder.releaseReboot();
    await holder.close();

    await device(id, 'it is tested', ({ state }) => state === 'testing');
    const product = await eventually('the door is open again', () => program().catch(() => false as const));
    await product.reportHealth(true, 'all meters answer');
    const done = await device(id, 'it has ended', ({ state }) => state === 'committed' || state === 'failed');
    expect(done).toMatchObject({ state: 'committed', evidence: { hooks: [{ name: '10-note', outcome: 'ok' }] } });
    expect(done.evidence!.health).toContainEqual(
      expect.objectContaining({ name: 'product', ok: true, output: 'all meters answer' }),
    );
    expect(done.wait).toBeUndefined();
    await product.close();
    // A plan of before was made for a device that ran something else.
    const drifted = await boards.fleet.cli(['rollout', 'apply', plan, '--json']);
    expect([drifted.exitCode, drifted.json<{ error: { seen: string } }>().error.seen]).toEqual([
      6,
      'hm-1 runs 2.0.0, and ran 1.0.0',
    ]);

    const [record] = await asked<UpdateRecord[]>('history');
    expect(record).toMatchObject({ version: '2.0.0', state: 'committed', evidence: { slotDigestMatches: true } });
    expect(record!.evidence.hooks).toContainEqual(
      expect.objectContaining({ state: 'committed', output: '1.0.0 to 2.0.0\n' }),
    );
    // Somebody at the device reads it as well.
    const shown = await boards.fleet.cli(['agent', 'update', 'history', '--config', join(data(), 'agent.yaml')]);
    expect(shown.stdout).toMatch(/2\.0\.0 +rollout +committed +slot a → b/);
  });

  it('is rejected by somebody at the device, which is no failure of the rollout', async () => {
    const policy = join(boards.fleet.scratch, 'policy.yaml');
    await writeFile(
      policy,
      stringify({
        release: (await boards.release('3.0.0')).id,
        selector: '*',
        // What the operator lays down holds beside what the owner does.
        windows: { install: [{ cron: '0 0 29 2 *', duration: '1m', zone: 'device' }] },
      }),
    );
    const { id } = await boards.cli.run<Rollout>(['rollout', 'start', policy, '--expect', '1', '--yes']);
    await device(id, 'it waits to be approved', ({ wait }) => wait !== undefined);
    expect((await atDevice('approve')).exitCode).toBe(0);
    const closed = await device(id, 'its window is closed', ({ wait }) => wait?.code === 'window-install');
    expect(closed.wait).toMatchObject({ untilMs: expect.any(Number) });
    expect(await asked('reject', '--reason', 'not this week')).toMatchObject({ version: '3.0.0', state: 'rejected' });
    const refused = await device(id, 'it has ended', ({ state }) => state === 'rejected');
    expect(refused.reason).toEqual({ code: 'rejected-on-device', message: 'not this week' });
    expect((await boards.rollout(id)).state).toBe('completed');
    expect((await atDevice('reject', '--reason', 'again')).exitCode).toBe(6);
  });
});
