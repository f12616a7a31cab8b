/** A door in this process: on a real socket and a real database, with a link that a test moves by hand. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Door, type DoorOption } from '../../src/agent/door/door.ts';
import { SchemaShelf } from '../../src/agent/door/schema-shelf.ts';
import { ProductHealth } from '../../src/agent/updater/product-health.ts';
import { defaultAgentConfig, defaultEventType } from '../../src/config/agent-default.ts';
import type { DeviceLog } from '../../src/eventlog/index.ts';
import type { ProgramUpdater } from '../../src/agent/program/program-updater.ts';
import type { AgentParts } from './agent-parts.ts';
import { programUpdater } from './program-updater.ts';

export interface DoorBench {
  door: Door;
  shelf: SchemaShelf;
  socket: string;
  /** Transactions of publishes. */
  transactions: number;
  fatal: unknown[];
  /** Orders of the root that came in. */
  resets: unknown[];
}

export interface DoorBenchOption {
  appendAll?: DeviceLog['appendAll'];
  /** Files of the folder of schemas, by name. */
  schemas?: Record<string, string>;
  agentVersion?: string;
  /** Absent: this device takes no updates. */
  updates?: Omit<DoorOption['updates'], 'programs'>;
  /** Absent: no launcher has started this one. */
  programs?: ProgramUpdater;
}

const machine = { bootId: () => 'boot-1', uptimeMs: () => performance.now() };

/** An open door; `pump.Alarm` travels in the lane alarm. */
export async function openBench(parts: AgentParts, option: DoorBenchOption = {}): Promise<DoorBench> {
  const socket = join(parts.dir, 'door.sock');
  const directory = join(parts.dir, 'schemas');
  await mkdir(directory, { recursive: true });
  for (const [name, text] of Object.entries(option.schemas ?? {})) await writeFile(join(directory, name), text);
  const shelf = new SchemaShelf({ ...parts, directory });
  const bench: DoorBench = {
    shelf,
    socket,
    transactions: 0,
    fatal: [],
    resets: [],
    door: new Door({
      ...parts,
      log: {
        requestCursor: () => parts.log.requestCursor(),
        state: () => parts.log.state(),
        append: (lane, row) => parts.log.append(lane, row),
        appendAll: option.appendAll ?? ((items) => parts.log.appendAll(items)),
        transact(work) {
          bench.transactions += 1;
          return parts.log.transact(work);
        },
      },
      config: {
        ...defaultAgentConfig.events,
        socket,
        schemas: directory,
        types: { 'pump.Alarm': { ...defaultEventType, lane: 'alarm' } },
      },
      schemas: shelf,
      agentVersion: option.agentVersion ?? '1.2.3',
      onAllowBundle: () => false,
      updates: {
        updater: undefined,
        productHealth: new ProductHealth({ database: parts.database, machine }),
        ...option.updates,
        programs: option.programs ?? programUpdater(parts, { machine }),
      },
      onRebootHold: () => undefined,
      onTimeReset: (reset) => Promise.resolve(void bench.resets.push(reset)),
      onFatal: (error) => bench.fatal.push(error),
    }),
  };
  await bench.door.start();
  return bench;
}
