import type { Clock } from '../../clock.ts';
import { FlotillaError } from '../../error.ts';
import type { Log } from '../../log.ts';
import type { Lane } from '../../protocol/lane.ts';
import type { Store } from '../../store/store.ts';
import type { ConnectionId, GatewayHandler, GatewayPort } from '../gateway/port.ts';
import { retryAfter } from '../identity/judge-connect.ts';
import type { Change, CoreState } from './core-state.ts';
import { stepJob } from './job-operation.ts';
import {
  commitRequests,
  connectDevice,
  disconnectDevice,
  probedDevice,
  storeBlock,
  storeEvents,
  type ConnectPolicy,
} from './link-operation.ts';
import { Pressure } from './pressure.ts';
import { createEventReader, type EventReader } from './read-event.ts';
import { expireRequests } from './request-operation.ts';
import { stepRollout } from './rollout-operation.ts';
import { settle } from './settle.ts';
import { Turn } from './turn.ts';

export interface CoreOption {
  store: Store;
  state: CoreState;
  clock: Clock;
  log: Log;
  /** How often timers are looked at. */
  tickMs?: number;
  policy?: ConnectPolicy;
}

interface Input {
  run(turn: Turn): unknown;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Inputs of one batch: one transaction. */
const maxBatch = 512;

/**
 * The one place where the state changes. Inputs (from gateways, the API, the clock) run one after another; all that
 * came while the last commit was under way form one batch with one commit. Their effects leave after it; if it fails,
 * the state is what is stored, and each input is tried alone so that one can't spoil the others.
 */
export class Core {
  readonly state: CoreState;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #tickMs: number;
  readonly #readEvent: EventReader;
  readonly #policy: ConnectPolicy;
  readonly #pressure = new Pressure(Math.random);
  /** An event of theirs was not stored: whatever follows it would take its place. */
  readonly #failed = new Set<ConnectionId>();
  readonly #listeners = new Set<(change: Change) => void>();
  #queue: Input[] = [];
  #running: Promise<void> | undefined;
  #gateway: GatewayPort | undefined;
  #cancelTick: (() => void) | undefined;

  constructor({ store, state, clock, log, tickMs = 250, policy = {} }: CoreOption) {
    this.#store = store;
    this.state = state;
    this.#clock = clock;
    this.#log = log;
    this.#tickMs = tickMs;
    this.#policy = policy;
    this.#readEvent = createEventReader();
  }

  get store(): Store {
    return this.#store;
  }

  /** Connects the gateways and goes on with what was under way when the last process ended. */
  async start(gateway: GatewayPort): Promise<void> {
    this.#gateway = gateway;
    gateway.setRevoked(revokedSerials(this.state));
    await this.submit((turn) => {
      for (const id of turn.state.rollouts.keys()) stepRollout(turn, id, { kind: 'open' });
      for (const id of turn.state.jobs.keys()) stepJob(turn, id, { kind: 'open' });
    });
    this.#scheduleTick();
  }

  /** Stops the timers and waits for what is under way. */
  async stop(): Promise<void> {
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    while (this.#running !== undefined) await this.#running;
  }

  /**
   * Runs `input` in the next turn; resolves with its value once everything that it wrote is durable. A refusal is
   * thrown from `input` and undoes what it did. Reads go the same way: they never show what is not stored.
   */
  submit<T>(input: (turn: Turn) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ run: input, resolve: resolve, reject });
      this.#running ??= this.#work();
    });
  }

  /** Told of each change after its commit; returns the unsubscribe function. */
  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** What the gateways call. */
  readonly handler: GatewayHandler = {
    connect: (connect) => {
      this.submit((turn) => connectDevice(turn, connect, this.#policy)).catch((error) => {
        this.#report(error, 'a connect could not be stored');
        const refusal = { code: 'overloaded', retryAfterMs: retryAfter.overloadedMs, detail: 'not stored' } as const;
        this.#gateway?.refuse(connect.connection, refusal);
      });
    },
    events: (connection, lane, firstSeq, rows) =>
      this.#take(connection, lane, firstSeq, (turn) =>
        storeEvents(turn, connection, lane, firstSeq, rows, this.#readEvent),
      ),
    eventBlock: (connection, lane, firstSeq, block) =>
      this.#take(connection, lane, firstSeq, (turn) => storeBlock(turn, connection, lane, firstSeq, block)),
    requestsAcked: (connection, lane, upToSeq) => {
      this.submit((turn) => commitRequests(turn, connection, lane, upToSeq)).catch((error) => {
        this.#report(error, 'an acknowledgement could not be stored');
        this.#gateway?.close(connection, 'store-failed');
      });
    },
    probed: (connection, answered) => {
      this.submit((turn) => probedDevice(turn, connection, answered, this.#policy)).catch((error) =>
        this.#report(error, 'a sign of life could not be judged'),
      );
    },
    disconnect: (connection, reason, traffic) => {
      this.#pressure.forget(connection);
      const policy = this.#policy;
      const forget = (): void => void this.#failed.delete(connection);
      this.submit((turn) => disconnectDevice(turn, connection, { reason, traffic, policy })).then(forget, (error) => {
        forget();
        this.#report(error, 'a disconnect could not be stored');
        // Presence is memory: it must be right even when the row about it could not be written.
        const deviceId = this.state.connections.get(connection);
        this.state.connections.delete(connection);
        if (deviceId !== undefined && this.state.live.get(deviceId)?.connection === connection) {
          this.state.live.delete(deviceId);
        }
      });
    },
  };

  /** Rows of a connection; `store` runs only while every earlier row of it was stored. */
  #take(connection: ConnectionId, lane: Lane, firstSeq: number, store: (turn: Turn) => void): void {
    const creditBytes = this.#pressure.creditBytes(connection, this.#queue.length);
    if (creditBytes !== undefined) this.#gateway?.credit(connection, creditBytes);
    const pauseMs = this.#pressure.pauseMs(connection, lane, this.#queue.length, this.#clock.monotonicMs());
    if (pauseMs !== undefined) this.#gateway?.pause(connection, lane, pauseMs);
    this.submit((turn) => {
      // Runs after the failure of an earlier input was reported: see #process.
      if (this.#failed.has(connection)) return;
      try {
        store(turn);
      } catch (error) {
        this.#failed.add(connection);
        throw error;
      }
    }).catch((error) => {
      // Not acknowledged: the device keeps them at the head of the lane and sends them again on its next connection.
      this.#failed.add(connection);
      this.#report(error, 'events could not be stored');
      const retryAfterMs = retryAfter.overloadedMs * (1 + Math.random());
      const verdict = { class: 'retry', code: 0, retryAfterMs, detail: 'not stored' } as const;
      this.#gateway?.nack(connection, lane, firstSeq, verdict);
      this.#gateway?.close(connection, 'store-failed', retryAfterMs);
    });
  }

  async #work(): Promise<void> {
    await Promise.resolve(); // the rest of what arrives in this tick joins the batch
    while (this.#queue.length > 0) {
      const batch = this.#queue.slice(0, maxBatch);
      this.#queue = this.#queue.slice(maxBatch);
      await this.#process(batch);
    }
    this.#running = undefined;
  }

  async #process(batch: readonly Input[]): Promise<void> {
    const turn = new Turn(this.state, () => this.#port(), this.#clock.nowMs());
    const start = turn.mark();
    const done: { input: Input; value: unknown }[] = [];
    for (const input of batch) {
      const mark = turn.mark();
      try {
        const value = input.run(turn);
        settle(turn);
        done.push({ input, value });
      } catch (error) {
        turn.rollback(mark);
        turn.toFlush.clear();
        input.reject(error);
      }
    }
    try {
      if (turn.writes.length > 0) await this.#store.commit(turn.writes);
    } catch (error) {
      turn.rollback(start);
      if (done.length === 1) done[0]!.input.reject(error);
      else for (const { input } of done) await this.#process([input]);
      return;
    }
    turn.release();
    for (const change of turn.changes) for (const listener of this.#listeners) listener(change);
    for (const { input, value } of done) input.resolve(value);
  }

  #port(): GatewayPort {
    if (this.#gateway !== undefined) return this.#gateway;
    throw new FlotillaError('ours', 'core-not-started', 'the core has no gateways yet');
  }

  #scheduleTick(): void {
    this.#cancelTick = this.#clock.schedule(this.#tickMs, () => {
      this.#scheduleTick();
      this.submit((turn) => {
        for (const [id, { document }] of turn.state.jobs) {
          if (document.state === 'running') stepJob(turn, id, { kind: 'tick' });
        }
        for (const id of turn.state.rollouts.keys()) stepRollout(turn, id, { kind: 'tick' });
        expireRequests(turn);
      }).catch((error) => this.#report(error, 'timers could not be carried out'));
    });
  }

  #report(error: unknown, message: string): void {
    const code = error instanceof FlotillaError ? error.code : undefined;
    this.#log.error({ code, err: code === undefined ? error : undefined }, message);
  }
}

export function revokedSerials(state: CoreState): Set<string> {
  const revoked = new Set<string>();
  for (const { serial, revokedAtMs } of state.certificates.values()) if (revokedAtMs !== undefined) revoked.add(serial);
  return revoked;
}
