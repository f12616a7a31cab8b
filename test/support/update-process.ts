/**
 * The updater as a process that can be killed at any moment: `update-process.ts OPTION.json`. The link is a file: parts
 * come from it, one after `partDelayMs`. What it does is told on stdout as JSON lines.
 */
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Link, LinkStatus } from '../../src/agent/link/port.ts';
import { createBootTime } from '../../src/agent/machine/boot-time.ts';
import { readRunning } from '../../src/agent/machine/running.ts';
import { createUbootSlots } from '../../src/agent/slot/uboot-slot.ts';
import { ensureAgentSchema } from '../../src/agent/state/agent-schema.ts';
import { Updater } from '../../src/agent/updater/updater.ts';
import type { UpdatePolicy } from '../../src/agent/updater/updater-option.ts';
import { systemClock } from '../../src/clock.ts';
import type { UpdateRules } from '../../src/config/agent-config.ts';
import { createDeviceLog, openDeviceDatabase } from '../../src/eventlog/index.ts';
import type { UpdateOffer } from '../../src/protocol/request.ts';
import { updaterSurrounding } from './updater-surrounding.ts';

export interface UpdateProcessOption {
  /** State folder. */
  directory: string;
  disk: string;
  idFile: string;
  slotFile: string;
  bundle: string;
  /** What is given when this digest is asked for. */
  delta?: { path: string; sha256: string };
  partDelayMs: number;
  /** False: the coordinator is out of reach in this process. */
  linked: boolean;
  publicKeys: string[];
  policy: Omit<UpdatePolicy, 'publicKeys'>;
  /** Beside the defaults; hooks are in `hooks` of the state folder. */
  rules?: Partial<UpdateRules>;
  /** Taken when this process starts, unless the device knows it already. */
  offer?: UpdateOffer;
}

const option = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as UpdateProcessOption;
const tell = (row: unknown) => void process.stdout.write(`${JSON.stringify(row)}\n`);

const status: LinkStatus = { state: option.linked ? 'live' : 'waiting', sinceMs: 0 };
const bundle = await open(option.bundle, 'r');
const delta = option.delta && { sha256: option.delta.sha256, file: await open(option.delta.path, 'r') };
const link: Link = {
  start() {},
  async stop() {},
  status: () => status,
  onChange: () => () => undefined,
  redial() {},
  wake() {},
  async fetch({ sha256, offset, length }) {
    const isDelta = sha256 === delta?.sha256;
    tell({ fetch: offset, ...(isDelta ? { isDelta } : {}) });
    await new Promise((resolve) => setTimeout(resolve, option.partDelayMs));
    const { buffer, bytesRead } = await (isDelta ? delta.file : bundle).read(Buffer.alloc(length), 0, length, offset);
    return buffer.subarray(0, bytesRead);
  },
  nacks: () => ({ retry: 0, 'need-schema': 0, reject: 0, 'too-large': 0, forbidden: 0 }),
  coordinatorNowMs: () => (option.linked ? Date.now() : undefined),
};

const database = openDeviceDatabase(join(option.directory, 'agent.db'));
const log = createDeviceLog(database);
ensureAgentSchema(database);
const slots = createUbootSlots({
  destination: option.disk,
  blockOffset: 1024,
  blockCount: 16,
  blockOffsetRedund: 1280,
  activeVariable: 'active_slot',
  pendingVariable: 'upgrade_available',
  bootcountVariable: 'bootcount',
  uuidVariablePrefix: '',
});
const machine = createBootTime(option.idFile);
const updater = new Updater({
  ...updaterSurrounding({ database, directory: option.directory, machine, rules: option.rules }),
  database,
  log,
  link,
  slots,
  running: () => readRunning({ idFile: option.idFile, slotFile: option.slotFile }, slots),
  clock: systemClock,
  logger: pino({ level: 'info' }, { write: (line: string) => process.stdout.write(line) }),
  policy: { ...option.policy, publicKeys: option.publicKeys.map((key) => Buffer.from(key, 'base64')) },
  directory: option.directory,
  onFatal: () => process.exit(1),
});
await updater.start();
if (option.offer) await updater.offer(option.offer, () => undefined);
await updater.idle();
database.close();
