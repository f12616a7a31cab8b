import type { Clock } from '../../clock.ts';
import { FlotillaError } from '../../error.ts';
import type { Log } from '../../log.ts';
import { ByteReader } from '../../protocol/byte-reader.ts';
import type { Lane, Row } from '../../protocol/lane.ts';
import { readPackedRows } from '../../protocol/packed-rows.ts';
import type { SuspectRow } from '../../store/row.ts';
import type { Store } from '../../store/store.ts';
import type { Connect, ConnectionId, GatewayHandler, GatewayPort } from '../gateway/port.ts';
import type { ConnectGate } from '../hook/connect-gate.ts';
import type { ConnectQuestion, HookVerdict } from '../hook/connect-hook.ts';
import { retryAfter } from '../identity/judge-connect.ts';
import { retireOverdue, trustedAuthorities } from './authority-operation.ts';
import { defaultRenewalPolicy } from '../renewal/reduce-renewal.ts';
import type { Change, CoreState } from './core-state.ts';
import { stepJob } from './job-operation.ts';
import { commitRequests, connectDevice, disconnectDevice, probedDevice, type ConnectPolicy } from './link-operation.ts';
import { storeBlock, storeEvents } from './row-operation.ts';
import { storeGap } from './gap-operation.ts';
import { Pressure } from './pressure.ts';
import { noteFrameFault } from './frame-fault-operation.ts';
import { createEventReader, type EventReader, type Meaning } from './read-event.ts';
import { batchLength, type Input } from './input.ts';
import { cutReplaced, stepRenewals } from './renewal-operation.ts';
import { expireRequests } from './request-operation.ts';
import { joinEveryMs, joinRollouts } from './join-operation.ts';
import { stepRollout } from './rollout-operation.ts';
import { defineSchema } from './schema-operation.ts';
import { columnSchemas } from './schema-state.ts';
import { newestChanges, newestWrites } from './newest.ts';
import { settle } from './settle.ts';
import type { SeqRange, SuspectFile } from './suspect-file.ts';
import { attemptsOf, clearSuspect, countAttempt, isSuspect, judgeSuspect } from './suspect-operation.ts';
import { Turn } from './turn.ts';

export interface CoreOption {
  store: Store;
  state: CoreState;
  clock: Clock;
  log: Log;
  /** How often timers are looked at. */
  tickMs?: number;
  policy?: ConnectPolicy;
  /** Asks the application about each connect. */
  gate?: ConnectGate;
  /** What events mean; the built-in types when left out. */
  readEvent?: EventReader;
  /** Where the core notes what it has under way, for the next process should this one end with it. */
  suspectFile?: SuspectFile;
}

const ignore = (): void => undefined;
const sweepEveryMs = 60_000;

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
  readonly readEvent: EventReader;
  readonly #suspectFile: SuspectFile | undefined;
  /** Under way when the last process ended. */
  readonly #suspectRanges: readonly SeqRange[];
  readonly #policy: ConnectPolicy;
  readonly #gate: ConnectGate | undefined;
  readonly #pressure = new Pressure(Math.random);
  /** An event of theirs was not stored: whatever follows it would take its place. */
  readonly #failed = new Set<ConnectionId>();
  readonly #listeners = new Set<(change: Change) => void>();
  #queue: Input[] = [];
  #running: Promise<void> | undefined;
  #gateway: GatewayPort | undefined;
  #cancelTick: (() => void) | undefined;
  /** When the certificates of all sessions are looked at next. */
  #sweepAtMs = 0;
  #joinAtMs = 0;

  constructor({ store, state, clock, log, tickMs = 250, policy = {}, gate, readEvent, suspectFile }: CoreOption) {
    this.#store = store;
    this.state = state;
    this.#clock = clock;
    this.#log = log;
    this.#tickMs = tickMs;
    this.#policy = gate === undefined ? policy : { ...policy, asksApplication: true };
    this.#gate = gate;
    this.readEvent = readEvent ?? createEventReader();
    this.#suspectFile = suspectFile;
    this.#suspectRanges = suspectFile?.read() ?? [];
  }

  get store(): Store {
    return this.#store;
  }

  /** Connects the gateways and goes on with what was under way when the last process ended. */
  async start(gateway: GatewayPort): Promise<void> {
    this.#gateway = gateway;
    gateway.setRevoked(revokedSerials(this.state));
    gateway.setAuthorities(trustedAuthorities(this.state));
    gateway.addSchemas(columnSchemas(this.state.schemas));
    await this.submit((turn) => {
      for (const id of turn.state.rollouts.keys()) stepRollout(turn, id, { kind: 'open', loaded: true });
      for (const id of turn.state.jobs.keys()) stepJob(turn, id, { kind: 'open' });
    });
    this.#scheduleTick();
  }

  /** Stops the timers and waits for what is under way. */
  async stop(): Promise<void> {
    this.#gate?.stop();
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
      this.#enqueue({ run: input, resolve, reject });
    });
  }

  #enqueue(input: Input): void {
    this.#queue.push(input);
    this.#running ??= this.#work();
  }

  /** The same where nobody waits for the value: gateways bring thousands a second, and a promise each is not for nothing. */
  #carryOut(run: Input['run'], reject: Input['reject'], how: Pick<Input, 'range' | 'alone'> = {}): void {
    this.#enqueue({ run, resolve: ignore, reject, ...how });
  }

  /** Told of each change after its commit; returns the unsubscribe function. */
  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** What the gateways call. */
  readonly handler: GatewayHandler = {
    connect: (connect) => {
      this.#gate?.opened(connect);
      this.#connect(connect);
    },
    events: (connection, lane, firstSeq, rows) => {
      const place = this.#placeOf(connection, lane, firstSeq, rows.length);
      if (place !== undefined && this.#hasSuspect(place)) return this.#takeAlone(connection, place, rows);
      this.#take(connection, lane, firstSeq, { range: place }, (turn) =>
        storeEvents(turn, connection, lane, firstSeq, rows, this.readEvent),
      );
    },
    eventBlock: (connection, lane, firstSeq, block) => {
      const place = this.#placeOf(connection, lane, firstSeq, block.count);
      if (place !== undefined && this.#hasSuspect(place)) {
        const rows = [...readPackedRows(new ByteReader(block.bytes), block.count)];
        return this.#takeAlone(connection, place, rows);
      }
      this.#take(connection, lane, firstSeq, { range: place }, (turn) =>
        storeBlock(turn, connection, lane, firstSeq, block),
      );
    },
    frameFault: (fault) => {
      this.submit((turn) => noteFrameFault(turn, fault)).catch((error) =>
        this.#report(error, 'a protocol error could not be stored'),
      );
    },
    gap: (connection, lane, upToSeq, reason) =>
      this.#take(connection, lane, upToSeq, {}, (turn) => storeGap(turn, connection, { lane, upToSeq, reason })),
    schema: (connection, fingerprint, text) => {
      // The rows that follow are stored in any case: at worst they wait for their schema.
      this.submit((turn) => defineSchema(turn, connection, fingerprint, text)).catch((error) =>
        this.#report(error, 'a schema could not be stored'),
      );
    },
    requestsAcked: (connection, lane, upToSeq) =>
      this.#carryOut(
        (turn) => commitRequests(turn, connection, lane, upToSeq),
        (error) => {
          this.#report(error, 'an acknowledgement could not be stored');
          this.#gateway?.close(connection, 'store-failed');
        },
      ),
    probed: (connection, answered) => {
      this.submit((turn) => probedDevice(turn, connection, answered, this.#policy)).catch((error) =>
        this.#report(error, 'a sign of life could not be judged'),
      );
    },
    disconnect: (connection, reason, traffic) => {
      this.#gate?.ended(connection);
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

  /** With a gate, in two turns: one to see whether the application is to be asked, and one with what it has said. */
  #connect(connect: Connect, verdict?: HookVerdict): void {
    const { connection } = connect;
    this.submit((turn) => connectDevice(turn, connect, this.#policy, verdict))
      .then((question) => this.#askApplication(connect, question))
      .catch((error) => {
        this.#report(error, 'a connect could not be stored');
        const refusal = { code: 'overloaded', retryAfterMs: retryAfter.overloadedMs, detail: 'not stored' } as const;
        this.#gateway?.refuse(connection, refusal);
      });
  }

  #askApplication(connect: Connect, question: ConnectQuestion | undefined): void {
    if (question === undefined) this.#gate?.ended(connect.connection);
    else this.#gate?.ask(connect.connection, question, (verdict) => this.#connect(connect, verdict));
  }

  /** Where rows of a connection stand; undefined for a ghost's, which are not stored. */
  #placeOf(connection: ConnectionId, lane: Lane, firstSeq: number, count: number): SeqRange | undefined {
    const deviceId = this.state.connections.get(connection);
    const live = deviceId === undefined ? undefined : this.state.live.get(deviceId);
    if (deviceId === undefined || live?.connection !== connection || count === 0) return undefined;
    return { deviceId, instanceId: live.instanceId, lane, from: firstSeq, to: firstSeq + count - 1 };
  }

  #hasSuspect(range: SeqRange): boolean {
    if (this.#suspectRanges.length === 0 && this.state.suspects.size === 0) return false;
    for (let seq = range.from; seq <= range.to; seq += 1) if (this.#isSuspect({ ...range, seq })) return true;
    return false;
  }

  #isSuspect({ deviceId, instanceId, lane, seq }: Omit<SuspectRow, 'attempts'>): boolean {
    const counted = this.state.suspects;
    return isSuspect({ ranges: this.#suspectRanges, counted }, { deviceId, instanceId, lane, seq });
  }

  /** Row by row; a suspect's attempt is on the disk before it is run, and nothing else is under way with it. */
  #takeAlone(connection: ConnectionId, range: SeqRange, rows: readonly Row[]): void {
    const { deviceId, instanceId } = range;
    const lane = range.lane as Lane;
    for (const [index, row] of rows.entries()) {
      const seq = range.from + index;
      const place = { deviceId, instanceId, lane, seq };
      const own = { ...range, from: seq, to: seq };
      if (!this.#isSuspect(place)) {
        this.#take(connection, lane, seq, { range: own }, (turn) =>
          storeEvents(turn, connection, lane, seq, [row], this.readEvent),
        );
        continue;
      }
      let verdict: Meaning | undefined;
      this.#take(connection, lane, seq, { alone: true }, (turn) => {
        verdict = judgeSuspect(attemptsOf(turn, place));
        countAttempt(turn, place);
      });
      this.#take(connection, lane, seq, { range: own, alone: true }, (turn) => {
        const judged = verdict;
        storeEvents(turn, connection, lane, seq, [row], judged === undefined ? this.readEvent : () => judged);
        clearSuspect(turn, place);
      });
    }
  }

  /** Rows of a connection; `store` runs only while every earlier row of it was stored. */
  #take(
    connection: ConnectionId,
    lane: Lane,
    firstSeq: number,
    { range, alone }: { range?: SeqRange | undefined; alone?: true },
    store: (turn: Turn) => void,
  ): void {
    const creditBytes = this.#pressure.creditBytes(connection, this.#queue.length);
    if (creditBytes !== undefined) this.#gateway?.credit(connection, creditBytes);
    const pauseMs = this.#pressure.pauseMs(connection, lane, this.#queue.length, this.#clock.monotonicMs());
    if (pauseMs !== undefined) this.#gateway?.pause(connection, lane, pauseMs);
    const run = (turn: Turn): void => {
      // Runs after the failure of an earlier input was reported: see #process.
      if (this.#failed.has(connection)) return;
      try {
        store(turn);
      } catch (error) {
        this.#failed.add(connection);
        throw error;
      }
    };
    const failed = (error: unknown): void => {
      // Not acknowledged: the device keeps them at the head of the lane and sends them again on its next connection.
      this.#failed.add(connection);
      this.#report(error, 'events could not be stored');
      const retryAfterMs = retryAfter.overloadedMs * (1 + Math.random());
      const verdict = { class: 'retry', code: 0, retryAfterMs, detail: 'not stored' } as const;
      this.#gateway?.nack(connection, lane, firstSeq, verdict);
      this.#gateway?.close(connection, 'store-failed', retryAfterMs);
    };
    const how = { ...(range === undefined ? {} : { range }), ...(alone === undefined ? {} : { alone }) };
    this.#carryOut(run, failed, how);
  }

  async #work(): Promise<void> {
    await Promise.resolve(); // the rest of what arrives in this tick joins the batch
    while (this.#queue.length > 0) {
      const batch = this.#queue.slice(0, batchLength(this.#queue));
      this.#queue = this.#queue.slice(batch.length);
      await this.#process(batch);
    }
    this.#suspectFile?.end();
    this.#running = undefined;
  }

  async #process(batch: readonly Input[]): Promise<void> {
    const turn = new Turn(this.state, () => this.#port(), this.#clock.nowMs());
    const start = turn.mark();
    this.#suspectFile?.begin(batch.flatMap(({ range }) => range ?? []));
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
      if (turn.writes.length > 0) await this.#store.commit(newestWrites(turn.writes));
    } catch (error) {
      turn.rollback(start);
      if (done.length === 1) done[0]!.input.reject(error);
      else for (const { input } of done) await this.#process([input]);
      return;
    }
    turn.release();
    for (const run of turn.followUps)
      this.#carryOut(run, (error) => this.#report(error, 'what was begun could not be gone on with'));
    for (const change of newestChanges(turn.changes)) for (const listener of this.#listeners) listener(change);
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
        if (turn.nowMs >= this.#joinAtMs) {
          joinRollouts(turn);
          this.#joinAtMs = turn.nowMs + joinEveryMs;
        }
        expireRequests(turn);
        retireOverdue(turn);
        const renewal = this.#policy.renewal ?? defaultRenewalPolicy;
        stepRenewals(turn, renewal);
        if (turn.nowMs >= this.#sweepAtMs) {
          cutReplaced(turn, renewal);
          this.#sweepAtMs = turn.nowMs + sweepEveryMs;
        }
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
