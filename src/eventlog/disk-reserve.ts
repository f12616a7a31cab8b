import { closeSync, fsyncSync, openSync, rmSync, statSync, writeSync } from 'node:fs';

/** What a journal of its usual size (see openDeviceDatabase) and one large transaction may make the file grow by. */
const reserveBytes = 2 * 1024 * 1024;

/**
 * Room that is taken while there is some, and given back when SQLite finds none: on a full disk even giving something
 * up has to be written first.
 */
export class DiskReserve {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Takes the room, if it is to be had. */
  hold(): void {
    if (this.#heldBytes() === reserveBytes) return;
    try {
      const file = openSync(this.#path, 'w', 0o600);
      try {
        for (let at = 0; at < reserveBytes;) at += writeSync(file, Buffer.alloc(65_536));
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
    } catch {
      this.release(); // a part of it would be missed by others and be of no use here
    }
  }

  release(): void {
    rmSync(this.#path, { force: true });
  }

  #heldBytes(): number {
    return statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
  }
}
