/**
 * `poisoned-core.ts DIR TYPE…`: a process with a real core and store, and one device that sends an event of each type,
 * all at once. An event `flotilla.job` kills the process when its meaning is read, as a bug of native code would. With
 * `kill` in front the process is killed while the batch is under way. Tells at its end what was stored and set aside.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../src/clock.ts';
import { Core } from '../../src/coordinator/core/core.ts';
import { loadState } from '../../src/coordinator/core/load-state.ts';
import { createEventReader } from '../../src/coordinator/core/read-event.ts';
import { SuspectFile } from '../../src/coordinator/core/suspect-file.ts';
import { activateAuthority } from '../../src/coordinator/core/authority-operation.ts';
import { putCertificate, putDevice } from '../../src/coordinator/core/device-operation.ts';
import { newDevice } from '../../src/coordinator/registry/reduce-device.ts';
import type { GatewayPort } from '../../src/coordinator/gateway/port.ts';
import { createLog } from '../../src/log.ts';
import { ByteWriter } from '../../src/protocol/byte-writer.ts';
import type { Row } from '../../src/protocol/lane.ts';
import { isProductRow, writePackedRows } from '../../src/protocol/packed-rows.ts';
import { openStore } from '../../src/store/index.ts';

const [directory = '', ...words] = process.argv.slice(2);
const isKilled = words[0] === 'kill';
const types = isKilled ? words.slice(1) : words;
const data = join(directory, 'data');
mkdirSync(data, { recursive: true });

const entry = new URL('../../src/bin/store-thread.ts', import.meta.url);
const store = await openStore({ path: join(data, 'flotilla.db'), entry });
const state = await loadState(store, 'harbour', '00000000000000c0', Date.now());
const suspectFile = new SuspectFile(join(data, 'suspects'));
const readReally = createEventReader();
const run: number[] = [];
let cursor = 0;
let done = Promise.withResolvers<void>();
const core = new Core({
  store,
  state,
  clock: systemClock,
  log: createLog({ name: 'core', level: 'silent' }),
  suspectFile,
  readEvent(row: Row) {
    run.push(row.timestampMs);
    if (row.type === 'flotilla.job' || (isKilled && row.timestampMs === types.length))
      process.kill(process.pid, 'SIGKILL');
    return readReally(row);
  },
});
const port = new Proxy({} as GatewayPort, {
  get: (_, name) => (connection: number, lane: number | { eventCursor: number[] }, upToSeq: number) => {
    if (name === 'admit') {
      cursor = (lane as { eventCursor: number[] }).eventCursor[0]!;
      done.resolve();
    } else if (name === 'acknowledge' && connection === 1 && upToSeq >= types.length) done.resolve();
  },
});
await core.start(port);
const serial = '5f';
await core.submit((turn) => {
  if (turn.state.devices.has('gw-1')) return;
  putDevice(turn, newDevice('gw-1', 'accepted', turn.nowMs));
  const known = { serial, deviceId: 'gw-1', fingerprintSha256: '', notBeforeMs: 0, notAfterMs: 1e15, issuedAtMs: 0 };
  putCertificate(turn, { ...known, issuer: 'issuing-1', pem: '' });
  activateAuthority(turn, { id: 'issuing-1', pem: '', fingerprintSha256: '' });
});
const identity = {
  fleetId: 'harbour',
  deviceId: 'gw-1',
  authority: 'issuing-1',
  serialHex: serial,
  fingerprintSha256Hex: '',
};
core.handler.connect({
  connection: 1,
  gateway: 0,
  identity: { ...identity, notBeforeMs: 0, notAfterMs: 1e15 },
  address: '192.0.2.1:1',
  resumed: false,
  instanceId: 0xa1n,
  agentVersion: '1.0.0',
  knownCoordinatorInstanceId: 0n,
  nextSeq: [types.length + 1, 1, 1, 1],
  requestCursor: [0, 0, 0, 0],
});
await done.promise;

done = Promise.withResolvers();
const rows: Row[] = types.map((type, index) => ({
  type,
  key: '',
  timestampMs: index + 1,
  schema: 0n,
  payload: Buffer.from(JSON.stringify({ running: { bootId: 'b' }, agentVersion: '1' })),
}));
// In one tick, so that they are one batch; the product's neighbours together, as a gateway hands them on.
const left = rows.slice(cursor);
const isBlock = left.length > 0 && left.every(isProductRow);
if (isBlock) {
  const body = new ByteWriter();
  writePackedRows(body, left);
  const bytes = Uint8Array.from(body.view());
  const lastTimestampMs = left.at(-1)!.timestampMs;
  core.handler.eventBlock(1, 0, cursor + 1, { count: left.length, schemas: [], lastTimestampMs, bytes });
} else left.forEach((row, index) => core.handler.events(1, 0, cursor + index + 1, [row]));
if (left.length > 0) await done.promise;

const events = await store.scan({ filter: { deviceIds: ['gw-1'] }, direction: 'up', from: 1, to: 1_000, limit: 1_000 });
const letters = (await store.deadLetters({})).map(({ payload: _, ...letter }) => letter);
const stored = events.rows.filter(({ seq }) => seq > 0).map(({ seq }) => seq);
process.stdout.write(`${JSON.stringify({ stored, letters, run })}\n`);
await core.stop();
suspectFile.close();
await store.close();
