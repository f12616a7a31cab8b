import { connect, type Socket } from 'node:net';
import type { Dice } from '../dice.ts';

/** One event that a door has confirmed. `n` is the publisher's own number, rising for each lane. */
export interface Confirmed {
  device: string;
  type: string;
  n: number;
  lane: number;
  seq: number;
  poison: boolean;
}

export const chaosTypes = ['chaos.alarm', 'chaos.state', 'chaos.bulk'] as const;

export interface PublisherOption {
  device: string;
  socketPath: string;
  dice: Dice;
  /** Stops after so many confirmations. */
  events: number;
  /** Mean rest between two bursts. */
  restMs: number;
  /** Numbers of the type chaos.bulk that crash the handler. */
  poison: ReadonlySet<number>;
  confirmed(event: Confirmed): void;
  /** Answers that were no confirmation, by code. */
  refused(code: string): void;
}

/**
 * A program of the product, as somebody writes it from the documentation: JSON lines over the door's socket, and a
 * ledger of what was confirmed. It shares no code with the agent. What got no answer is never sent again: nobody knows.
 */
export class DoorPublisher {
  readonly #option: PublisherOption;
  readonly #numbers = new Map<string, number>(chaosTypes.map((type) => [type, 0]));
  readonly #waiting = new Map<number, { type: string; n: number; poison: boolean }>();
  #socket: Socket | undefined;
  #partial = '';
  #lastId = 0;
  #confirmed = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(option: PublisherOption) {
    this.#option = option;
    this.#connect();
  }

  get done(): boolean {
    return this.#confirmed >= this.#option.events;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  #connect(): void {
    if (this.#stopped) return;
    const socket = connect(this.#option.socketPath);
    this.#socket = socket;
    this.#partial = '';
    socket.on('connect', () => this.#burst());
    socket.on('data', (bytes) => this.#receive(bytes.toString()));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#waiting.clear();
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#connect(), 100);
    });
  }

  #burst(): void {
    const { dice, events, restMs, poison, device } = this.#option;
    if (this.#stopped || this.done) return;
    const room = Math.min(64 - this.#waiting.size, events - this.#confirmed);
    for (let left = Math.min(room, 1 + dice.below(24)); left > 0; left -= 1) {
      const type = chaosTypes[Math.min(2, dice.below(8))]!;
      const n = this.#numbers.get(type)! + 1;
      this.#numbers.set(type, n);
      this.#lastId += 1;
      const isPoison = type === 'chaos.bulk' && poison.has(n);
      this.#waiting.set(this.#lastId, { type, n, poison: isPoison });
      const value = { device, n, ...(isPoison ? { poison: true } : {}) };
      this.#socket!.write(`${JSON.stringify({ id: this.#lastId, verb: 'publish', type, key: `k${n % 7}`, value })}\n`);
    }
    this.#timer = setTimeout(() => this.#burst(), restMs * (0.5 + dice.share()));
  }

  #receive(text: string): void {
    const lines = (this.#partial + text).split('\n');
    this.#partial = lines.pop()!;
    for (const line of lines) {
      const answer = JSON.parse(line) as { id: number; ok?: { lane: number; seq: number }; error?: { code: string } };
      const event = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if (event === undefined) continue;
      if (answer.ok === undefined) this.#option.refused(answer.error?.code ?? 'no code');
      else {
        this.#confirmed += 1;
        this.#option.confirmed({ device: this.#option.device, ...event, ...answer.ok });
      }
    }
  }
}
