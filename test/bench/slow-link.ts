/**
 * `npm run bench:slow-link`: how long a command's result takes from a device behind 9,600 bit/s with 5 % loss that has
 * 50,000 bulk events to send. Needs root for a network namespace. One JSON document on stdout, progress on stderr; exit
 * code 1 when a result came late, and when nothing could be measured (unless --allow-skip), 2 for wrong arguments.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createGatewayPool } from '../../src/coordinator/gateway/pool.ts';
import { createLog } from '../../src/log.ts';
import { eventually } from '../support/eventually.ts';
import { createCertifiedFleet, gatewayEntry, LedgerCore, opensslConfigFile } from '../support/link-bench.ts';
import { textRow, type DeviceSetup } from './slow-link/setup.ts';
import { createSlowNetwork, whyNoSlowNetwork } from './slow-link/slow-network.ts';

const bitsPerSecond = 9_600;
const dropOneIn = 20;
const queueBytes = 6_000;
const bulkEvents = 50_000;
const commands = 10;
/** A batch is at most 4 KiB: what an urgent frame may have to wait for. */
const batchMs = Math.round((4_096 * 8 * 1_000) / bitsPerSecond);
const limitMs = 2 * batchMs;

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const print = (document: object): void => void process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);

const { 'allow-skip': allowSkip } = (() => {
  try {
    return parseArgs({ options: { 'allow-skip': { type: 'boolean', default: false } } }).values;
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}\nbench:slow-link [--allow-skip]`);
    process.exit(2);
  }
})();
const obstacle = await whyNoSlowNetwork();
if (obstacle === undefined) await run();
else {
  say(`SKIPPED, nothing was measured: ${obstacle}`);
  print({ skipped: obstacle });
  if (!allowSkip) process.exitCode = 1;
}

async function run(): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const network = stack.use(await createSlowNetwork({ bitsPerSecond, dropOneIn, queueBytes }));
  const fleet = stack.use(await createCertifiedFleet());
  const core = new LedgerCore();
  const pool = await createGatewayPool({
    count: 1,
    listen: { host: network.host, port: 0 },
    tls: fleet.tls,
    blobDirectory: fleet.blobDirectory,
    gatewayEntry,
    opensslConfigFile,
    fleetId: fleet.fleetId,
    handler: core,
    log: createLog({ name: 'core', level: 'silent' }),
    logDestination: join(fleet.directory, 'gateway.log'),
  });
  core.port = pool;
  stack.defer(() => pool.stop());

  const pems = await fleet.device('slow');
  const file = async (name: string, text: string): Promise<string> => {
    const path = join(fleet.directory, name);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  };
  const setup: DeviceSetup = {
    databasePath: join(fleet.directory, 'slow.sqlite'),
    bulkEvents,
    host: network.host,
    port: pool.port,
    serverName: fleet.serverName,
    identity: {
      keyFile: await file('slow.key', pems.keyPem),
      certificateFile: await file('slow.crt', pems.certificatePem),
      authorityFile: await file('slow-authority.crt', pems.authorityPem),
    },
  };
  const device = spawn(
    'ip',
    [
      'netns',
      'exec',
      network.namespace,
      process.execPath,
      join(import.meta.dirname, 'slow-link', 'device.ts'),
      JSON.stringify(setup),
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  const ended = once(device, 'exit');
  stack.defer(async () => {
    device.kill('SIGKILL');
    await ended;
  });

  const stored = (): number => core.payloads('slow', 3).length;
  await eventually('bulk is on its way', () => stored() >= 200, { timeoutMs: 180_000 });
  const begin = { atMs: performance.now(), stored: stored(), crossed: await network.crossedBytes() };
  const resultMs: number[] = [];
  for (let n = 1; n <= commands; n += 1) {
    const name = `command ${n}`;
    const askedAtMs = performance.now();
    core.request('slow', textRow('bench.command', name));
    const arrived = (): boolean => core.payloads('slow', 0).includes(name);
    await eventually(`the result of ${name}`, arrived, { timeoutMs: 180_000, everyMs: 20 });
    resultMs.push(Math.round(performance.now() - askedAtMs));
    say(`${name}: ${resultMs.at(-1)} ms of at most ${limitMs}, ${stored()} bulk events are stored`);
    // The next one comes at another moment of a batch.
    await sleep(1_000 + Math.random() * batchMs);
  }
  const seconds = (performance.now() - begin.atMs) / 1_000;
  const droppedPackets = await network.droppedPackets();
  if (!(droppedPackets > 0)) throw new Error('the link lost nothing: this was not the link that was asked for');
  const onTime = resultMs.filter((ms) => ms <= limitMs).length;
  print({
    linkBitsPerSecond: bitsPerSecond,
    lossPercent: 100 / dropOneIn,
    bulkEventsQueued: bulkEvents,
    bulkEventsStored: stored(),
    bulkEventsPerSecond: Math.round(((stored() - begin.stored) / seconds) * 10) / 10,
    crossedBitsPerSecond: Math.round((((await network.crossedBytes()) - begin.crossed) * 8) / seconds),
    droppedPackets,
    connections: core.connects.length,
    batchMs,
    limitMs,
    resultMs,
    worstMs: Math.max(...resultMs),
    onTime,
    met: onTime === commands,
  });
  if (onTime < commands) process.exitCode = 1;
}
