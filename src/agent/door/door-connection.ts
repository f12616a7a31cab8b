import type { Socket } from 'node:net';
import type { Clock } from '../../clock.ts';
import { FlotillaError } from '../../error.ts';
import {
  DoorError,
  LineSplitter,
  maxBadLines,
  maxInFlight,
  maxLineBytes,
  type DoorRequest,
  type Id,
  type RequestShape,
} from '../../door/index.ts';
import { busy } from './publish-queue.ts';
import type { ReadRequest } from './read-request.ts';
import type { TurnBudget } from './turn-budget.ts';

export interface DoorConnectionOption {
  clock: Clock;
  /** Shared by all connections. */
  budget: TurnBudget;
  read(line: Uint8Array): ReadRequest;
  /** What follows `ok`; a promise that waits for the disk counts as in flight. Throws what the program is told. */
  answer(shape: RequestShape, request: DoorRequest, connection: DoorConnection): object | Promise<object>;
  onClose(connection: DoorConnection): void;
  /** A slow reader has caught up. */
  onReady(): void;
  /** An error that is not meant for the program. */
  onFault(error: unknown): void;
}

/** Answers that wait for their reader; beyond it no more of its lines are read. */
const maxOutputBytes = 1024 * 1024;
/** A reader that takes nothing for this long loses the connection. */
const stuckMs = 60_000;
const inFlightRetryMs = 20;

/** One program: its lines in, their answers out. What it does wrong costs this connection at most. */
export class DoorConnection {
  readonly #socket: Socket;
  readonly #option: DoorConnectionOption;
  readonly #lines = new LineSplitter(maxLineBytes);
  #inFlight = 0;
  #badLines = 0;
  /** No more lines are taken; it ends when the last answer has left. */
  #ending = false;
  /** For its turn. */
  #waiting = false;
  /** The program has closed its side. */
  #finished = false;
  #corked = false;
  /** Rows that are made when there is room for them. */
  #offers: { id: Id; make: () => object | undefined }[] = [];
  #cancelStuck: (() => void) | undefined;

  constructor(socket: Socket, option: DoorConnectionOption) {
    this.#socket = socket;
    this.#option = option;
    socket.on('data', (chunk: Buffer) => {
      this.#lines.push(chunk);
      this.#take();
    });
    socket.on('drain', () => {
      this.#cancelStuck?.();
      this.#cancelStuck = undefined;
      if (!this.#waiting) socket.resume();
      this.#pushOffers();
      this.#take();
      option.onReady();
    });
    socket.on('end', () => {
      this.#finished = true;
      this.#take();
    });
    socket.on('error', () => undefined); // 'close' follows
    socket.on('close', () => {
      this.#ending = true; // what it has asked for and was not taken yet nobody waits for
      this.#cancelStuck?.();
      option.onClose(this);
    });
  }

  /** Its reader is slow: what can wait, or be said anew, should. */
  get blocked(): boolean {
    return this.#socket.writableLength > maxOutputBytes;
  }

  /** A row for a request that watches. */
  push(id: Id, row: object): void {
    this.#write({ id, row });
  }

  /** A row that is made once there is room for it, after what is being said now; `make` may find it needless by then. */
  offer(id: Id, make: () => object | undefined): void {
    this.#offers.push({ id, make });
    if (this.#offers.length === 1) setImmediate(() => this.#pushOffers());
  }

  /** After the answers that are under way. */
  end(): void {
    this.#ending = true;
    if (this.#inFlight === 0) this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #take(): void {
    while (!this.#ending) {
      if (this.blocked) return this.#waitForReader();
      if (this.#option.budget.spent) return this.#waitForTurn();
      const line = this.#lines.next();
      if (line === undefined) break;
      this.#option.budget.take(line.length);
      if (line === 'too-long') {
        this.#refuseLine(null, new DoorError('usage', 'line-too-long', `a line of more than ${maxLineBytes} bytes`));
      } else if (!isBlank(line)) this.#answer(this.#option.read(line));
    }
    if (this.#finished) this.#finish();
  }

  #waitForTurn(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    this.#socket.pause();
    this.#option.budget.wait(() => {
      this.#waiting = false;
      if (!this.blocked) this.#socket.resume();
      this.#take();
    });
  }

  #pushOffers(): void {
    while (!this.blocked && this.#socket.writable) {
      const offer = this.#offers.shift();
      if (offer === undefined) return;
      const row = offer.make();
      if (row !== undefined) this.push(offer.id, row);
    }
  }

  #waitForReader(): void {
    this.#socket.pause();
    this.#cancelStuck ??= this.#option.clock.schedule(stuckMs, () => this.destroy());
  }

  #answer(read: ReadRequest): void {
    if ('error' in read) {
      if (read.bad) this.#refuseLine(read.id, read.error);
      else this.#refuse(read.id, read.error);
      return;
    }
    const { id } = read.request;
    try {
      if (this.#inFlight >= maxInFlight) throw busy(inFlightRetryMs);
      const ok = this.#option.answer(read.shape, read.request, this);
      if (ok instanceof Promise) this.#await(id, ok);
      else this.#write({ id, ok });
    } catch (error) {
      this.#refuse(id, error);
    }
  }

  #await(id: Id, ok: Promise<object>): void {
    this.#inFlight += 1;
    ok.then(
      (value) => this.#write({ id, ok: value }),
      (error: unknown) => this.#refuse(id, error),
    ).finally(() => {
      this.#inFlight -= 1;
      if (this.#ending && this.#inFlight === 0) this.#socket.end();
    });
  }

  #refuseLine(id: Id | null, error: DoorError): void {
    this.#refuse(id, error);
    this.#badLines += 1;
    if (this.#badLines >= maxBadLines) this.end();
  }

  #refuse(id: Id | null, error: unknown): void {
    if (!(error instanceof FlotillaError)) this.#option.onFault(error);
    const told =
      error instanceof FlotillaError
        ? error
        : new FlotillaError('ours', 'internal', 'the agent failed at this request');
    this.#write({ id, error: told.toJSON() });
  }

  /** The program has said all that it will, and all of it was taken. */
  #finish(): void {
    if (!this.#ending && this.#lines.unfinishedBytes > 0) {
      this.#refuse(null, new DoorError('usage', 'request-malformed', 'the last line has no end'));
    }
    this.end();
  }

  /** All that is said in one turn of the loop leaves together. */
  #write(line: object): void {
    if (!this.#socket.writable) return;
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(`${JSON.stringify(line)}\n`);
  }
}

function isBlank(line: Uint8Array): boolean {
  return line.length === 0 || (line.length === 1 && line[0] === 0x0d);
}
