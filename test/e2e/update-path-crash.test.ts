/** The coordinator is killed with -9 at random moments of rollouts; they end as they should, and no device does a thing twice. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import type { VirtualBoard } from '../../src/board/index.ts';
import type { Rollout } from '../../src/client/contract/index.ts';
import { createBoardFleet, type BoardFleet } from '../support/board-fleet.ts';
import { eventually } from '../support/eventually.ts';

/** A sample in `npm test`. */
const kills = process.env['FLOTILLA_TESTS'] === 'long' ? 20 : 8;
const seed = Number(process.env['FLOTILLA_SEED'] ?? 20_260_101);
const ids = ['hm-1', 'hm-2', 'hm-3'];

/** mulberry32: small, seeded, good enough to scatter moments. */
function random(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The agents' waits between two tries would only make the test longer. */
async function reconnectFast({ path }: VirtualBoard): Promise<void> {
  const file = join(path.data, 'agent.yaml');
  const document = parseDocument(await readFile(file, 'utf8'));
  document.setIn(['link', 'backoff', 'maxMs'], 500);
  await writeFile(file, document.toString());
}

async function startRollout(boards: BoardFleet, version: string): Promise<Rollout> {
  const release = await boards.release(version);
  const phases = ['--phase', '1', '--phase', '1', '--phase', 'rest'];
  return boards.cli.run<Rollout>([
    'rollout',
    'start',
    release.id,
    '*',
    ...phases,
    '--expect',
    String(ids.length),
    '--yes',
  ]);
}

describe(`the coordinator killed ${kills} times (seed ${seed})`, () => {
  it('ends every rollout as it should, and nobody installs or restarts twice', async () => {
    await using boards = await createBoardFleet({ ids, prepare: reconnectFast });
    const { fleet } = boards;
    const next = random(seed);
    const rollouts: Rollout[] = [];
    let done = 0;
    while (done < kills) {
      const current = rollouts.at(-1);
      if (current === undefined || (await boards.rollout(current.id)).state !== 'running') {
        await boards.online();
        rollouts.push(await startRollout(boards, `${rollouts.length + 2}.0.0`));
      }
      await delay(next() * 700);
      await fleet.killCoordinator();
      await fleet.startCoordinator();
      done += 1;
    }
    for (const { id } of rollouts) {
      const rollout = await eventually(
        `rollout ${id} has ended`,
        async () => {
          const found = await boards.rollout(id);
          return found.state !== 'running' && found;
        },
        { timeoutMs: 90_000, everyMs: 200 },
      );
      expect([rollout.state, rollout.reason]).toEqual(['completed', undefined]);
      expect(rollout.devices!.map(({ state }) => state)).toEqual(ids.map(() => 'committed'));
    }

    // By the agents' own logs and the boards' logs: one installation and one restart for each rollout.
    for (const id of ids) {
      const log = await boards.agentLog(id);
      for (const rollout of rollouts) {
        const installed = log.filter(({ msg, rollout: of }) => msg === 'installed' && of === rollout.id);
        expect(installed, `${id} installed ${rollout.id}`).toHaveLength(1);
      }
      const boots = await boards.boots(id);
      expect(
        boots.map(({ why }) => why),
        id,
      ).toEqual(['power-on', ...rollouts.map(() => 'reboot')]);
      expect(
        boots.map(({ version }) => version),
        id,
      ).toEqual(['1.0.0', ...rollouts.map((_, index) => `${index + 2}.0.0`)]);
    }
  });
});
