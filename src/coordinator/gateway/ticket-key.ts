import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { FlotillaError } from '../../error.ts';
import type { Log } from '../../log.ts';
import { readSecretFile } from '../../pki/secret-file.ts';

export interface TicketKeyOption {
  /** Holds the key over a restart; missing: it ends with the process. */
  file?: string | undefined;
  rotationMs: number;
  log: Log;
  nowMs: () => number;
}

const keyBytes = 48;

/**
 * The key under which all gateways write session tickets. Whoever has it can write a ticket in the name of any device,
 * so it is kept like the issuing key, for its owner alone, and only as long as its tickets are good for. It is kept at
 * all because without it each restart of the coordinator would cost every device a full handshake.
 */
export class TicketKey {
  readonly #option: TicketKeyOption;
  #key: Buffer;
  #madeAtMs: number;

  private constructor(option: TicketKeyOption, key: Buffer, madeAtMs: number) {
    this.#option = option;
    this.#key = key;
    this.#madeAtMs = madeAtMs;
  }

  /** The kept key while it is young enough; else a new one. */
  static async open(option: TicketKeyOption): Promise<TicketKey> {
    const kept = option.file === undefined ? undefined : await read(option.file, option.log);
    const ageMs = kept === undefined ? Infinity : option.nowMs() - kept.madeAtMs;
    if (kept !== undefined && ageMs >= 0 && ageMs < option.rotationMs) {
      return new TicketKey(option, kept.key, kept.madeAtMs);
    }
    const fresh = new TicketKey(option, randomBytes(keyBytes), option.nowMs());
    await fresh.#write();
    return fresh;
  }

  get bytes(): Buffer {
    return this.#key;
  }

  get rotateInMs(): number {
    return Math.max(0, this.#madeAtMs + this.#option.rotationMs - this.#option.nowMs());
  }

  /** Tickets under the old key are good for nothing any more: those devices shake hands in full once. */
  async rotate(): Promise<void> {
    this.#key = randomBytes(keyBytes);
    this.#madeAtMs = this.#option.nowMs();
    await this.#write();
  }

  /** A disk that is full costs the fleet its tickets at the next restart, nothing now. */
  async #write(): Promise<void> {
    const { file: path, log } = this.#option;
    if (path === undefined) return;
    const fresh = `${path}.new`;
    try {
      await rm(fresh, { force: true });
      const file = await open(fresh, 'wx', 0o600);
      try {
        await file.writeFile(JSON.stringify({ madeAtMs: this.#madeAtMs, keyHex: this.#key.toString('hex') }));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(fresh, path);
    } catch (error) {
      log.warn({ err: error }, 'the ticket key is not kept: after a restart devices shake hands in full');
    }
  }
}

/** Undefined when there is none, and when it can't be trusted: a key that others could read is theirs, too. */
async function read(path: string, log: Log): Promise<{ key: Buffer; madeAtMs: number } | undefined> {
  try {
    const { madeAtMs, keyHex } = JSON.parse((await readSecretFile(path)).toString('utf8')) as {
      madeAtMs?: unknown;
      keyHex?: unknown;
    };
    if (typeof madeAtMs !== 'number' || typeof keyHex !== 'string' || !/^[0-9a-f]{96}$/.test(keyHex)) {
      throw new FlotillaError('failed', 'ticket-key-malformed', 'the kept ticket key is no ticket key');
    }
    return { key: Buffer.from(keyHex, 'hex'), madeAtMs };
  } catch (error) {
    const isMissing = error instanceof FlotillaError && error.detail.seen === 'ENOENT';
    if (!isMissing) log.warn({ err: error }, 'the kept ticket key is not used');
    return undefined;
  }
}
