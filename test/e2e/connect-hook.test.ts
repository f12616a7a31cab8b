/** The application judges each connect: a program or a service, asked by a real coordinator about real devices. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { CoordinatorClient } from '../../src/client/coordinator-client.ts';
import { HttpConnection } from '../../src/client/http-connection.ts';
import { coordinatorServerName } from '../../src/pki/index.ts';
import { enrollMany, inTurn, type BareDevice } from '../support/bare-device.ts';
import { eventually } from '../support/eventually.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';

async function hooked(fleet: TestFleet, hook: object): Promise<CoordinatorClient> {
  const path = join(fleet.dir, 'coordinator.yaml');
  const yaml = (await readFile(path, 'utf8')).replace(/\nconnectHook:.*\n/, '\n');
  await writeFile(path, `${yaml}\nconnectHook: ${JSON.stringify(hook)}\n`);
  await fleet.stopCoordinator();
  await fleet.startCoordinator();
  return new CoordinatorClient(new HttpConnection(join(fleet.dir, 'run', 'api.sock')));
}

const serverName = async (client: CoordinatorClient) => coordinatorServerName((await client.status()).fleetId);

describe('a command as connect hook', () => {
  it('allows, denies, quarantines; and lets nobody in when it hangs, fails or talks nonsense', async () => {
    await using fleet = await createFleet();
    const client = new CoordinatorClient(new HttpConnection(join(fleet.dir, 'run', 'api.sock')));
    const ids = ['allow', 'deny', 'quarantine', 'hang', 'crash', 'garbage', 'flood', 'later'];
    const devices = new Map(
      (await enrollMany(client, ids, await serverName(client))).map((device) => [device.id, device]),
    );
    // What it is asked stands beside it; what it answers is the device's id.
    const script = join(fleet.scratch, 'hook.sh');
    await writeFile(
      script,
      `read -r question
id=$(printf %s "$question" | sed 's/.*"deviceId":"\\([a-z]*\\)".*/\\1/')
printf %s "$question" > "$1/$id.question"
case $id in
  allow) echo '{"decision":"allow"}' ;;
  deny) echo '{"decision":"deny","reason":"the subscription has ended","retryAfterSeconds":7}' ;;
  quarantine) echo '{"decision":"quarantine","reason":"seen in another country"}' ;;
  hang) sleep 60 & wait ;;
  crash) echo 'no database' >&2; exit 3 ;;
  garbage) echo 'yes' ;;
  flood) yes ;;
  later) test -e "$1/later.ok" && echo '{"decision":"allow"}' ;;
esac
`,
    );
    const hook = { command: ['/bin/sh', script, fleet.scratch], timeoutMs: 3_000 };
    await hooked(fleet, hook);
    const outcomes = Object.fromEntries(
      await Promise.all(
        [...devices.values()].map(async (device) => [device.id, await device.dial(fleet.port)] as const),
      ),
    );
    expect(outcomes['allow']).toBe('live');
    expect(outcomes['quarantine']).toBe('live'); // its control lane alone
    expect(outcomes['deny']).toMatchObject({
      close: { code: 'not-admitted', detail: 'the subscription has ended', retryAfterMs: 7_000 },
    });
    for (const id of ['hang', 'crash', 'garbage', 'flood', 'later']) {
      const ended = outcomes[id];
      if (typeof ended !== 'object' || ended.close === undefined) throw new Error(`${id} was let in`);
      expect(ended.close.code, id).toBe('overloaded');
      expect(ended.close.retryAfterMs, id).toBeGreaterThanOrEqual(5_000);
    }
    const question = JSON.parse(await readFile(join(fleet.scratch, 'allow.question'), 'utf8'));
    const { certificate } = await client.device('allow');
    expect(question).toMatchObject({
      version: 1,
      deviceId: 'allow',
      serial: certificate!.serial,
      state: 'accepted',
      agentVersion: '0.1.0',
      resumed: false,
    });

    const shown = async (id: string) => (await fleet.cli(['device', 'show', id])).stdout;
    expect(await shown('deny')).toMatch(/refused: +connect-hook: the subscription has ended/);
    expect(await shown('quarantine')).toMatch(/because: +seen in another country \(connect-hook,/);
    const reasons = {
      deny: 'the subscription has ended',
      hang: 'it took too long',
      crash: 'exit code 3: no database',
      garbage: 'its answer can\'t be read: "yes',
      flood: 'it said more than',
      quarantine: 'seen in another country',
    };
    for (const [id, reason] of Object.entries(reasons)) {
      expect((await fleet.cli(['why', id])).stdout, id).toContain(reason);
    }
    const events = (await fleet.cli(['event', 'tail', '--type', 'coordinator.refused', '--json'])).rows();
    expect(events.map(({ deviceId }) => deviceId).toSorted()).toEqual([
      'crash',
      'deny',
      'flood',
      'garbage',
      'hang',
      'later',
    ]);
    const status = await client.status();
    expect(status.connectHook).toMatchObject({
      allowed: 1,
      denied: 1,
      quarantined: 1,
      failed: 5,
      asking: 0,
      waiting: 0,
    });
    expect(status.alerts.map(({ deviceId }) => deviceId)).toEqual(['quarantine']);
    expect((await fleet.cli(['coordinator', 'status'])).stdout).toMatch(
      /hook: +1 allowed, 1 denied, 1 quarantined, 5 failed/,
    );

    // It is asked again each time; and once let in, what was refused is over.
    await writeFile(join(fleet.scratch, 'later.ok'), '');
    expect(await devices.get('later')!.dial(fleet.port)).toBe('live');
    expect((await client.device('later')).refused).toBeUndefined();
    // The same reason again is no new event.
    await devices.get('deny')!.dial(fleet.port);
    expect((await fleet.cli(['event', 'tail', '--type', 'coordinator.refused', '--json'])).rows()).toHaveLength(6);
    for (const device of devices.values()) device.hangUp();
  });

  it('is refused by the configuration when it could not be trusted', async () => {
    await using fleet = await createFleet();
    await fleet.stopCoordinator();
    const path = join(fleet.dir, 'coordinator.yaml');
    const yaml = await readFile(path, 'utf8');
    for (const hook of [
      {},
      { command: ['true'], url: 'https://hook.example.org' },
      { url: 'http://hook.example.org/connect' },
      { url: 'http://127.0.0.1.example.org/' },
      { url: 'ftp://127.0.0.1/' },
      { url: 'http://127.0.0.1:1/', caFile: 'ca.crt' },
      { command: [] },
      { command: ['true'], timeoutMs: 60_000 },
    ]) {
      await writeFile(path, `${yaml}\nconnectHook: ${JSON.stringify(hook)}\n`);
      const ran = await fleet.cli(['coordinator', 'start', '--detach', '--json']);
      expect(ran.exitCode, JSON.stringify(hook)).toBe(2);
    }
  });
});

/** Answers after `delayMs`; knows how many it was asked at once. */
async function slowService(delayMs: number) {
  const seen = { now: 0, most: 0, asked: 0 };
  const server = createServer((request: IncomingMessage, response) => {
    seen.now += 1;
    seen.asked += 1;
    seen.most = Math.max(seen.most, seen.now);
    request.resume();
    const timer = setTimeout(() => response.end('{"decision":"allow"}'), delayMs);
    // Answered, or given up by the coordinator.
    response.on('close', () => {
      clearTimeout(timer);
      seen.now -= 1;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/connect`,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('a service as connect hook', () => {
  it('of a second for each of 500 devices: bounded, all come in, and nobody who is there waits for it', async () => {
    await using service = await slowService(1_000);
    await using fleet = await createFleet();
    const client = new CoordinatorClient(new HttpConnection(join(fleet.dir, 'run', 'api.sock')));
    const ids = Array.from({ length: 501 }, (_, n) => `d-${n}`);
    const [first, ...rest] = (await enrollMany(client, ids, await serverName(client))) as [BareDevice, ...BareDevice[]];
    const maxConcurrent = 50;
    await hooked(fleet, { url: service.url, maxConcurrent });
    expect(await first.dial(fleet.port)).toBe('live');

    const state = { done: false };
    const dialUntilIn = async (device: BareDevice): Promise<void> => {
      for (let outcome = await device.dial(fleet.port); outcome !== 'live'; outcome = await device.dial(fleet.port)) {
        // So many at once are also more than a gateway shakes hands with: those are sent away before TLS.
        if (outcome.close !== undefined) expect(outcome.close.code).toBe('overloaded');
        await delay(outcome.close?.retryAfterMs ?? 200);
      }
    };
    const all = inTurn(rest, rest.length, dialUntilIn).then(() => void (state.done = true));
    const latencies: number[] = [];
    while (!state.done) {
      const startMs = performance.now();
      await first.publish('meanwhile');
      latencies.push(performance.now() - startMs);
      await Promise.race([all, delay(50)]);
    }
    await all;
    latencies.sort((a, b) => a - b);
    const median = latencies[latencies.length >> 1]!;
    process.stderr.write(
      `while 500 devices were asked about, a second each: ${latencies.length} events stored in ${Math.round(median)} ms, ` +
        `at most ${Math.round(latencies.at(-1)!)} ms\n`,
    );
    // The core never waits: an event of a device that is there takes what it always takes.
    expect(median).toBeLessThan(500);
    expect(service.seen.most).toBeLessThanOrEqual(maxConcurrent);
    expect((await client.status()).devices.connected).toBe(501);
    for (const device of [first, ...rest]) device.hangUp();
  });

  it('decides for the time of cacheSeconds, is not followed elsewhere, and is no reason to hang when it is gone', async () => {
    await using service = await slowService(0);
    await using fleet = await createFleet();
    const client = new CoordinatorClient(new HttpConnection(join(fleet.dir, 'run', 'api.sock')));
    const [one, two] = (await enrollMany(client, ['one', 'two'], await serverName(client))) as [BareDevice, BareDevice];
    await hooked(fleet, { url: service.url, cacheSeconds: 60 });
    for (let n = 0; n < 3; n += 1) {
      expect(await one.dial(fleet.port)).toBe('live');
      one.hangUp();
    }
    expect(service.seen.asked).toBe(1);
    await service[Symbol.asyncDispose]();
    expect(await one.dial(fleet.port)).toBe('live'); // known
    expect(await two.dial(fleet.port)).toMatchObject({ close: { code: 'overloaded' } });
    await eventually('why tells it', async () =>
      (await fleet.cli(['why', 'two'])).stdout.includes('the connect hook failed: no answer: ECONNREFUSED'),
    );
    one.hangUp();
  });
});
