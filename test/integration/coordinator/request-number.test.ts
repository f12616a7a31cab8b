import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CoreState } from '../../../src/coordinator/core/core-state.ts';
import { putDevice } from '../../../src/coordinator/core/device-operation.ts';
import { loadState } from '../../../src/coordinator/core/load-state.ts';
import { newestWrites } from '../../../src/coordinator/core/newest.ts';
import {
  acknowledgeRequests,
  enqueueRequest,
  expireRequests,
  loseSentJobs,
  withdrawRequest,
} from '../../../src/coordinator/core/request-operation.ts';
import { settle } from '../../../src/coordinator/core/settle.ts';
import { Turn } from '../../../src/coordinator/core/turn.ts';
import type { NewRequest } from '../../../src/coordinator/effect.ts';
import type { GatewayPort } from '../../../src/coordinator/gateway/port.ts';
import { newDevice } from '../../../src/coordinator/registry/reduce-device.ts';
import { requestVersions } from '../../../src/protocol/request.ts';
import { openStore, type Store } from '../../../src/store/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const entry = new URL('../../../src/bin/store-thread.ts', import.meta.url);
const agentVersion = '1.0.0';
const types = ['job.run', 'config.desired', 'grains.refresh'] as const;

/** What happens to a device's requests; `killed`: the process ends before the commit of it. */
interface Happening {
  kind: 'ask' | 'withdraw' | 'connect' | 'leave' | 'commit' | 'announce' | 'lose' | 'expire' | 'restart';
  type: (typeof types)[number];
  /** Of a commit: how many of what it has met it still has before it. */
  behind: number;
  killed: boolean;
}

const happening: fc.Arbitrary<Happening> = fc.record({
  kind: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom('ask', 'connect') },
    { weight: 2, arbitrary: fc.constantFrom('commit', 'announce', 'restart') },
    { weight: 1, arbitrary: fc.constantFrom('withdraw', 'leave', 'lose', 'expire') },
  ),
  type: fc.constantFrom(...types),
  behind: fc.nat(2),
  killed: fc.integer({ min: 0, max: 7 }).map((draw) => draw === 0),
});

/** The coordinator's requests to a few devices, with its real store, and what has left it. */
class Asking {
  /** Which request each number of a device was, as the wire has it. */
  readonly met = new Map<string, Map<number, string>>();
  readonly #store: Store;
  #state: CoreState;
  #connections = 0;
  #asked = 0;

  constructor(store: Store, state: CoreState) {
    this.#store = store;
    this.#state = state;
  }

  async restart(): Promise<void> {
    this.#state = await loadState(this.#store, 'demo', '0123456789abcdef', 0);
  }

  async add(deviceId: string): Promise<void> {
    this.met.set(deviceId, new Map());
    const accepts = { agentVersion, types: requestVersions };
    await this.#turn(0, false, (turn) =>
      putDevice(turn, { ...newDevice(deviceId, 'accepted', 0), agentVersion, accepts }),
    );
  }

  async happen(deviceId: string, { kind, type, behind, killed }: Happening): Promise<void> {
    if (kind === 'restart') return this.restart();
    const nowMs = kind === 'expire' ? 1_000 : 0;
    await this.#turn(nowMs, killed, (turn) => {
      const { state } = turn;
      const device = state.devices.get(deviceId)!;
      const live = state.live.get(deviceId);
      switch (kind) {
        case 'ask':
          this.#asked += 1;
          return enqueueRequest(turn, deviceId, {
            type,
            key: `${this.#asked}`,
            payload: {},
            expiresAtMs: 100,
          } as unknown as NewRequest);
        case 'withdraw':
          return withdrawRequest(turn, deviceId, type, `${this.#asked}`);
        case 'connect': {
          this.#connections += 1;
          const link = { connection: this.#connections, gateway: 0, instanceId: '1', serial: '1', connectedAtMs: 0 };
          turn.set(state.live, deviceId, { ...link, standing: 'accepted', sent: new Set<number>() });
          return void turn.toFlush.add(deviceId);
        }
        case 'leave':
          return turn.delete(state.live, deviceId);
        case 'commit': {
          const last = Math.max(0, ...this.met.get(deviceId)!.keys());
          if (live !== undefined) acknowledgeRequests(turn, deviceId, 0, last - behind);
          return;
        }
        case 'announce': {
          const { [type]: _, ...others } = requestVersions;
          putDevice(turn, { ...device, accepts: { agentVersion, types: behind === 0 ? requestVersions : others } });
          return void turn.toFlush.add(deviceId);
        }
        case 'lose':
          return loseSentJobs(turn, deviceId);
        case 'expire':
          return expireRequests(turn);
      }
    });
  }

  async #turn(nowMs: number, killed: boolean, run: (turn: Turn) => void): Promise<void> {
    const turn = new Turn(this.#state, () => this.#gateway, nowMs);
    run(turn);
    settle(turn);
    if (killed) return this.restart();
    await this.#store.commit(newestWrites(turn.writes));
    turn.release();
  }

  readonly #gateway = {
    request: (connection: number, _lane: number, seq: number, { key }: { key: string }) => {
      const [deviceId] = [...this.#state.live].find(([, live]) => live.connection === connection)!;
      const met = this.met.get(deviceId)!;
      const known = met.get(seq);
      if (known === undefined) expect(seq).toBeGreaterThan(Math.max(0, ...met.keys()));
      else expect(key).toBe(known);
      met.set(seq, key);
    },
  } as Pick<GatewayPort, 'request'> as GatewayPort;
}

describe('the number of a request', () => {
  it('is given once, whatever becomes of the request and whatever is killed when', async () => {
    await using directory = await temporaryDirectory();
    const store = await openStore({ path: join(directory.path, 'flotilla.db'), entry });
    const asking = new Asking(store, await loadState(store, 'demo', '0123456789abcdef', 0));
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(happening, { minLength: 30, maxLength: 100 }), async (happenings) => {
        runs += 1;
        await asking.restart();
        const deviceId = `gw-${runs}`;
        await asking.add(deviceId);
        for (const one of happenings) await asking.happen(deviceId, one);
      }),
      { numRuns: 60, endOnFailure: true },
    );
    expect(Math.max(...[...asking.met.values()].map((met) => met.size))).toBeGreaterThan(3);
    await store.close();
  });
});
