/** Who asks for too much, and who fails to prove himself, waits; the others do not. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askRaw, createRemoteFleet, type RawOption, type RemoteFleet } from '../support/remote-fleet.ts';

let remote: RemoteFleet;
let anna: RawOption;

beforeAll(async () => {
  remote = await createRemoteFleet({ callerPerSecond: 2, callerBurst: 4, addressPerSecond: 200, addressBurst: 1_000 });
  const { fleetId } = (await remote.fleet.cli(['coordinator', 'status', '--json'])).json();
  const { certificate, key, authority } = await remote.addOperator('anna', 'viewer');
  anna = { port: remote.ports.certificate, serverName: `coordinator.${fleetId}.flotilla`, authority, certificate, key };
  await remote.addToken('bert', 'viewer', '--expires', '1h');
});
afterAll(() => remote?.fleet[Symbol.asyncDispose]());

describe('an operator beyond the limit', () => {
  it('is told for how long, and others are served', async () => {
    const replies = await Promise.all(Array.from({ length: 12 }, () => askRaw('GET', '/v1/self', anna)));
    const refused = replies.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThanOrEqual(6);
    expect(refused[0]!.body.error).toMatchObject({ code: 'rate-limited', fault: 'refused', seen: 'anna' });
    expect(Number(refused[0]!.headers['retry-after'])).toBeGreaterThan(0);
    expect((await remote.as('bert', ['operator', 'whoami'])).exitCode).toBe(0);
  });

  it('waits with the command line, and gets through', async () => {
    await Promise.all(Array.from({ length: 6 }, () => askRaw('GET', '/v1/self', anna)));
    expect((await remote.as('anna', ['operator', 'whoami'])).exitCode).toBe(0);
  });

  it('does not exist on the unix socket', async () => {
    const runs = await Promise.all(Array.from({ length: 8 }, () => remote.fleet.cli(['operator', 'whoami'])));
    expect(runs.map(({ exitCode }) => exitCode)).toEqual(runs.map(() => 0));
  });
});

describe('an address that guesses', () => {
  it('is answered with a time to wait, and then not at all', async () => {
    const guess = { ...anna, port: remote.ports.token, token: `flotilla_${'0'.repeat(16)}_${'A'.repeat(43)}` };
    const { certificate: _, key: __, ...way } = guess;
    const seen: string[] = [];
    for (let attempt = 0; attempt < 80 && seen.at(-1) !== 'cut'; attempt += 1) {
      const batch = Array.from({ length: 4 }, () =>
        askRaw('GET', '/v1/self', way).then(
          ({ status }) => String(status),
          () => 'cut',
        ),
      );
      seen.push(...(await Promise.all(batch)));
    }
    expect(seen[0]).toBe('401');
    expect(seen.at(-1)).toBe('cut');
    // Far fewer than the 1,000 that requests with a good token would have been.
    expect(seen.filter((one) => one === '401').length).toBeLessThan(40);
  });
});
