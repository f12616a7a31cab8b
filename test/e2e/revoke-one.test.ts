/** One of a thousand connected devices is stolen: cut off at once, on every gateway, for good; nobody else notices. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CoordinatorClient } from '../../src/client/coordinator-client.ts';
import { HttpConnection } from '../../src/client/http-connection.ts';
import { coordinatorServerName } from '../../src/pki/index.ts';
import { enrollMany, inTurn, type BareDevice } from '../support/bare-device.ts';
import { eventually } from '../support/eventually.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';

const count = 1_000;
const gateways = 3;

/** Pids of the gateways that have refused a revoked device, from the coordinator's log on. */
async function refusedBy(fleet: TestFleet, fromByte: number): Promise<Set<number>> {
  const text = (await readFile(join(fleet.dir, 'run', 'coordinator.log'))).subarray(fromByte).toString('utf8');
  const lines = text.split('\n').flatMap((line): { pid: number; msg: string; reason?: string }[] => {
    return line.startsWith('{') && line.endsWith('}') ? [JSON.parse(line)] : [];
  });
  return new Set(
    lines.filter(({ msg, reason }) => msg === 'connection refused' && reason === 'revoked').map(({ pid }) => pid),
  );
}

/** The kernel chooses the gateway: until each has refused the resumed session. */
async function refusedEverywhere(fleet: TestFleet, device: BareDevice, ticket: Buffer): Promise<void> {
  const fromByte = (await fleet.coordinatorLog()).length;
  for (let n = 0; n < 100; n += 1) {
    const ended = await device.dial(fleet.port, { ticket });
    expect(ended).toMatchObject({ close: { code: 'revoked', by: 'peer' } });
    expect(device.resumed).toBe(true);
    device.hangUp();
    if (n >= gateways - 1 && (await refusedBy(fleet, fromByte)).size === gateways) return;
  }
  await eventually('all have refused it', async () => (await refusedBy(fleet, fromByte)).size === gateways);
}

it(`one of ${count} devices on ${gateways} gateways is revoked`, { timeout: 180_000 }, async () => {
  await using fleet = await createFleet({ gateways });
  const client = new CoordinatorClient(new HttpConnection(join(fleet.dir, 'run', 'api.sock')));
  const { fleetId } = await client.status();
  const ids = Array.from({ length: count }, (_, n) => `d-${n}`);
  const devices = await enrollMany(client, ids, coordinatorServerName(fleetId));
  await inTurn(devices, 64, async (device) => {
    expect(await device.dial(fleet.port), device.id).toBe('live');
  });
  const status = await client.status();
  expect(status.devices.connected).toBe(count);
  expect(status.gateways.every(({ connections }) => connections > 0)).toBe(true);

  const stolen = devices[321]!;
  const others = devices.filter((device) => device !== stolen);
  const ended: string[] = [];
  for (const device of others) void device.over.then(({ reason }) => ended.push(`${device.id}: ${reason}`));
  const before = new Map(others.map((device) => [device, device.receivedBytes]));
  const { ticket } = stolen;
  const ran = await fleet.cli(['cert', 'revoke', stolen.id, '--reason', 'stolen', '--yes', '--json']);
  expect(ran.exitCode, ran.stderr).toBe(0);
  expect(ran.json().cutConnections).toBe(1);
  const cut = await stolen.over;
  const [revoked] = await client.events({ type: 'coordinator.certificate-revoked', selector: stolen.id });
  const cutMs = cut.atMs - revoked!.receivedAtMs;
  process.stderr.write(`one of ${count} devices was cut ${cutMs} ms after the revocation was begun\n`);
  expect(cut.close).toMatchObject({ code: 'revoked' });
  expect(cutMs).toBeLessThan(1_000);

  await refusedEverywhere(fleet, stolen, ticket!);
  // Not a byte went to anybody else, all are there, and all are served.
  expect(others.filter((device) => device.receivedBytes !== before.get(device))).toEqual([]);
  expect(ended).toEqual([]);
  await inTurn(others, 256, (device) => device.publish('still here'));
  expect((await client.status()).devices.connected).toBe(count - 1);
  expect(ended).toEqual([]);

  await fleet.stopCoordinator();
  await fleet.startCoordinator();
  await refusedEverywhere(fleet, stolen, ticket!);
  // Nor with a handshake of its own.
  expect(await stolen.dial(fleet.port)).not.toBe('live');
  expect(await others[0]!.dial(fleet.port)).toBe('live');
  for (const device of devices) device.hangUp();
});
