import type { Clock } from '../../clock.ts';
import type { DoorStatus, Id } from '../../door/index.ts';
import type { DoorConnection } from './door-connection.ts';

/** How often the log is looked at for those who watch: it is written to without a word to us. */
const everyMs = 1_000;

/** Tells those who watch whenever the status is not what they were told last. */
export class StatusWatch {
  readonly #clock: Clock;
  readonly #status: () => DoorStatus;
  readonly #watching = new Map<DoorConnection, { id: Id; told: string }>();
  #cancel: (() => void) | undefined;
  #soon = false;

  constructor(clock: Clock, status: () => DoorStatus) {
    this.#clock = clock;
    this.#status = status;
  }

  /** Returns the status as it is now. */
  add(connection: DoorConnection, id: Id): DoorStatus {
    const status = this.#status();
    this.#watching.set(connection, { id, told: JSON.stringify(status) });
    this.#cancel ??= this.#clock.schedule(everyMs, () => this.#tick());
    return status;
  }

  remove(connection: DoorConnection): void {
    this.#watching.delete(connection);
  }

  /** Something has changed: told at the end of this turn of the loop. */
  poke(): void {
    if (this.#soon || this.#watching.size === 0) return;
    this.#soon = true;
    setImmediate(() => {
      this.#soon = false;
      this.#tell();
    });
  }

  stop(): void {
    this.#watching.clear();
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #tick(): void {
    this.#cancel = undefined;
    this.#tell();
    if (this.#watching.size > 0) this.#cancel = this.#clock.schedule(everyMs, () => this.#tick());
  }

  #tell(): void {
    if (this.#watching.size === 0) return;
    const status = this.#status();
    const text = JSON.stringify(status);
    for (const [connection, watcher] of this.#watching) {
      if (watcher.told === text || connection.blocked) continue;
      watcher.told = text;
      connection.push(watcher.id, status);
    }
  }
}
