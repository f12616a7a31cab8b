/**
 * Many devices in one process, each with its own database, link and executor, as an agent has them. What a real device
 * would do by a program (`relay off`) is done here at once and told with its time: this machine can't begin a thousand
 * programs in a second. Ends with its stdin's owner.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Executor } from '../../../src/agent/executor/executor.ts';
import { sectionPolicy } from '../../../src/agent/executor/job-policy.ts';
import { Inbox } from '../../../src/agent/inbox.ts';
import { createLink } from '../../../src/agent/link/link.ts';
import { createBootTime } from '../../../src/agent/machine/boot-time.ts';
import { ensureAgentSchema } from '../../../src/agent/state/agent-schema.ts';
import { systemClock as clock } from '../../../src/clock.ts';
import { createDeviceLog, jsonRow, openDeviceDatabase } from '../../../src/eventlog/index.ts';
import { createLog } from '../../../src/log.ts';
import { Lane } from '../../../src/protocol/lane.ts';
import { requestVersions } from '../../../src/protocol/request.ts';
import type { CrowdSetup } from '../../bench/job/setup.ts';

/** A line of stdout. */
export interface Switched {
  id: string;
  state: string;
  atMs: number;
}

const agentVersion = '0.1.0';
const { port, serverName, devices } = JSON.parse(await text(process.stdin)) as CrowdSetup;
const [folder = ''] = process.argv.slice(2);
const logger = createLog({ name: 'agent', level: 'silent' });
const machine = createBootTime('/proc/sys/kernel/random/boot_id');
const policy = sectionPolicy({
  allow: ['relay'],
  shell: false,
  maxOutputBytes: 1_000,
  maxConcurrent: 4,
  timeoutSeconds: 60,
});
let told: Switched[] = [];
const say = (switched: Switched): void => {
  if (told.length === 0) {
    setImmediate(() => {
      process.stdout.write(told.map((each) => `${JSON.stringify(each)}\n`).join(''));
      told = [];
    });
  }
  told.push(switched);
};

for (const { id, ...identity } of devices) {
  const directory = join(folder, id);
  await mkdir(directory, { recursive: true });
  const database = openDeviceDatabase(join(directory, 'agent.db'));
  ensureAgentSchema(database);
  const log = createDeviceLog(database);
  const value = { agentVersion, accepts: { ...requestVersions } };
  log.append(Lane.control, jsonRow({ type: 'flotilla.accepts', timestampMs: clock.nowMs(), value }));
  const link = createLink({
    endpoint: { host: '127.0.0.1', port, serverName },
    identity,
    log,
    agentVersion,
    clock,
    logger,
    receive: (...requests) => inbox.receive(...requests),
    onRequest: () => inbox.wake(),
    backoff: { firstMinMs: 100, firstMaxMs: 3_000, maxMs: 5_000 },
  });
  const executor = new Executor({
    database,
    log,
    link,
    clock,
    logger,
    machine,
    policy: () => policy,
    content: { fetch: () => Promise.reject(new Error('no content here')) },
    perform(action) {
      const state = action.kind === 'command' ? (action.argv[1] ?? '') : action.kind;
      say({ id, state, atMs: Date.now() });
      return Promise.resolve({ outcome: 'succeeded', exitCode: 0 });
    },
  });
  const inbox = new Inbox({
    log,
    logger,
    clock,
    onReport: () => link.wake(),
    onFatal(error) {
      process.stderr.write(`${id}: ${String(error)}\n`);
      process.exit(1);
    },
    takers: { 'job.start': (job) => executor.accept(job), 'job.run': (job) => executor.accept(job) },
    handlers: {
      'job.cancel': (cancel, settle) => executor.cancel(cancel, settle),
    },
  });
  executor.start();
  link.start();
  inbox.wake();
}
