import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCountingProxy, type CountingProxy } from '../support/counting-proxy.ts';
import { eventually } from '../support/eventually.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';

let fleet: TestFleet;
let proxy: CountingProxy;
beforeAll(async () => {
  fleet = await createFleet();
  proxy = await createCountingProxy(fleet.port);
  await fleet.addAgent('gw-1', { configure: (yaml) => yaml.replace(String(fleet.port), String(proxy.port)) });
  await fleet.connected('gw-1');
});
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
});

/** What passed the proxy for one command: TLS records of the agent, and of the gateway. */
async function recordsOf(argv: string[]): Promise<{ up: number; down: number }> {
  const count = (up: boolean): number =>
    proxy.connections.flatMap(({ pieces }) => pieces).filter((piece) => piece.up === up).length;
  await sleep(300); // what came before has left
  const before = { up: count(true), down: count(false) };
  const { exitCode } = await fleet.cli(['run', 'gw-1', '--', ...argv]);
  expect(exitCode).toBe(0);
  await eventually('the result is acknowledged', () => count(false) - before.down >= 2);
  await sleep(300);
  return { up: count(true) - before.up, down: count(false) - before.down };
}

describe('a command that is done in a moment', () => {
  it('is taken and ended in one record of the agent, and acknowledged in one of the gateway', async () => {
    const seen: { up: number; down: number }[] = [];
    for (let n = 0; n < 4; n += 1) seen.push(await recordsOf(['true']));
    // A machine that is busy takes longer than such a moment now and then.
    expect(seen).toContainEqual({ up: 1, down: 2 });
  });

  it('is told to have begun while it runs when it takes longer', async () => {
    const { up } = await recordsOf(['sleep', '1.5']);
    expect(up).toBeGreaterThan(2);
  });
});
