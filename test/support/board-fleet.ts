/** A fleet whose devices are virtual boards: real disks, real agents started by what their slots name. */
import { join } from 'node:path';
import type { VirtualBoard } from '../../src/board/index.ts';
import type { Release, Rollout } from '../../src/client/contract/index.ts';
import { prepareDevice } from '../../src/demo/agent-setup.ts';
import { buildRelease } from '../../src/demo/build-release.ts';
import { DemoCli } from '../../src/demo/demo-cli.ts';
import type { PlannedDevice } from '../../src/demo/fleet-plan.ts';
import { eventually } from './eventually.ts';
import { createFleet, type TestFleet } from './fleet.ts';

export interface BoardFleet extends AsyncDisposable {
  fleet: TestFleet;
  cli: DemoCli;
  boards: Map<string, VirtualBoard>;
  /** Builds, signs and publishes a version of the example product. */
  release(version: string, changes?: Record<string, string>): Promise<Release>;
  rollout(id: string): Promise<Rollout>;
  /** All boots of a device, by its board's log. */
  boots(id: string): Promise<{ bootId: string; slot: string; why: string; version?: string }[]>;
  /** What the device's agent printed, as its log's documents. */
  agentLog(id: string): Promise<Record<string, unknown>[]>;
  online(ids?: string[]): Promise<void>;
}

export interface BoardFleetOption {
  ids: string[];
  hardware?: { watchdogMs: number; firstTouchMs: number };
  gateways?: number;
  /** Before the first power-on. */
  prepare?: (board: VirtualBoard) => Promise<void>;
}

/** Boards on 1.0.0, switched on and connected. */
export async function createBoardFleet(option: BoardFleetOption): Promise<BoardFleet> {
  const fleet = await createFleet({ gateways: option.gateways ?? 1 });
  const cli = new DemoCli(fleet.dir, new AbortController().signal);
  const boards = new Map<string, VirtualBoard>();
  const dispose = async () => {
    await Promise.all([...boards.values()].map((board) => board.powerOff()));
    await fleet[Symbol.asyncDispose]();
  };
  const made: BoardFleet = {
    fleet,
    cli,
    boards,
    async release(version, changes = {}) {
      const { path } = await buildRelease(cli, { dir: fleet.scratch, version, changes });
      return cli.run<Release>(['release', 'publish', path]);
    },
    rollout: (id) => cli.run<Rollout>(['rollout', 'status', id]),
    async boots(id) {
      return (await boards.get(id)!.readLog()).filter((record) => record.event === 'boot');
    },
    async agentLog(id) {
      const text = await boards.get(id)!.readConsole();
      return text.split('\n').flatMap(parsed);
    },
    online: (ids = option.ids) =>
      eventually(
        `${ids.join(', ')} are connected and have told who they are`,
        async () => {
          const devices = await cli.run<{ id: string; connected: boolean; running?: unknown; grains: object }[]>([
            'device',
            'list',
          ]);
          const ready = devices.filter((each) => each.connected && each.running && Object.keys(each.grains).length > 0);
          return ids.every((id) => ready.some((each) => each.id === id));
        },
        { timeoutMs: 60_000, everyMs: 200 },
      ).then(() => undefined),
    [Symbol.asyncDispose]: dispose,
  };
  try {
    const { path: bundlePath } = await buildRelease(cli, { dir: fleet.scratch, version: '1.0.0' });
    for (const id of option.ids) {
      const planned: PlannedDevice = { id, site: 'harbour', ring: 'main' };
      const board = await prepareDevice(planned, {
        cli,
        boardsDir: join(fleet.scratch, 'board'),
        bundlePath,
        publicKeyPath: join(fleet.dir, 'keys', 'firmware.pub'),
        coordinator: { host: '127.0.0.1', port: fleet.port },
        ...(option.hardware === undefined ? {} : { hardware: option.hardware }),
      });
      boards.set(id, board);
      await option.prepare?.(board);
    }
    for (const board of boards.values()) await board.powerOn();
    await made.online();
    return made;
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** A line that a power cut tore is no document. */
function parsed(line: string): Record<string, unknown>[] {
  try {
    return line.startsWith('{') ? [JSON.parse(line) as Record<string, unknown>] : [];
  } catch {
    return [];
  }
}
