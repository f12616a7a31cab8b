import { open, type FileHandle } from 'node:fs/promises';
import { constants } from 'node:fs';
import { join } from 'node:path';
import { systemErrorCode } from '../../error.ts';
import type { WantRefusal } from '../../protocol/message.ts';
import type { CoordinatorSession } from '../../session/coordinator-session.ts';

export interface PartWant {
  id: number;
  sha256Hex: string;
  offset: number;
  length: number;
}

const readBytes = 16_384;

/**
 * Serves parts of blobs to one session: one file at a time, one read at a time, and only as much ahead as the session
 * has room for, so that a slow link costs no memory.
 */
export class PartServer {
  readonly #directory: string;
  readonly #session: CoordinatorSession;
  readonly #onReady: () => void;
  readonly #granted = new Set<string>();
  readonly #wants: PartWant[] = [];
  #busy = false;
  /** Of the part in front, and how much of it was handed over. */
  #file: FileHandle | undefined;
  #done = 0;
  #stopped = false;

  constructor(directory: string, session: CoordinatorSession, onReady: () => void) {
    this.#directory = directory;
    this.#session = session;
    this.#onReady = onReady;
  }

  /** Lower-case hex of the SHA-256, which is the file's name. */
  grant(sha256Hex: string): void {
    if (/^[0-9a-f]{64}$/.test(sha256Hex)) this.#granted.add(sha256Hex);
  }

  want(want: PartWant): void {
    if (!this.#granted.has(want.sha256Hex)) {
      this.#refuse(want, 'not-granted');
      return;
    }
    this.#wants.push(want);
    this.pump();
  }

  cancel(id: number): void {
    const at = this.#wants.findIndex((want) => want.id === id);
    if (at > 0) this.#wants.splice(at, 1); // the first one may be in the middle of a read: it ends at its next step
    this.pump();
  }

  stop(): void {
    this.#stopped = true;
    this.pump();
  }

  /** There may be room again. */
  pump(): void {
    if (this.#busy) return;
    const [want] = this.#wants;
    if (this.#stopped ? this.#file === undefined : want === undefined || this.#session.partRoom() < readBytes) return;
    this.#busy = true;
    void this.#step(want).finally(() => {
      this.#busy = false;
      this.pump();
    });
  }

  /** One read of the part in front; closes the file when nothing more of it is wanted. Never rejects. */
  async #step(want: PartWant | undefined): Promise<void> {
    let more = false;
    try {
      if (want !== undefined && !this.#stopped) more = await this.#read(want);
    } catch (error) {
      if (want !== undefined) this.#refuse(want, systemErrorCode(error) === 'ENOENT' ? 'not-found' : 'failed');
    }
    if (more) return;
    const file = this.#file;
    this.#file = undefined;
    this.#wants.shift();
    this.#done = 0;
    await file?.close().catch(() => undefined); // opened for reading: nothing is lost
  }

  async #read(want: PartWant): Promise<boolean> {
    if (this.#file === undefined) {
      this.#file = await open(join(this.#directory, want.sha256Hex), constants.O_RDONLY | constants.O_NOFOLLOW);
      const { size } = await this.#file.stat();
      if (want.offset + want.length > size) return this.#refuse(want, 'out-of-range');
    }
    const bytes = Buffer.allocUnsafe(Math.min(readBytes, want.length - this.#done));
    const { bytesRead } = await this.#file.read(bytes, 0, bytes.length, want.offset + this.#done);
    if (bytesRead === 0) return this.#refuse(want, 'failed'); // it was cut short under our hands
    if (this.#stopped || !this.#session.provide(want.id, bytes.subarray(0, bytesRead))) return false;
    this.#done += bytesRead;
    this.#onReady();
    return this.#done < want.length;
  }

  #refuse(want: PartWant, code: WantRefusal): false {
    this.#session.refuseWant(want.id, code);
    this.#onReady();
    return false;
  }
}
