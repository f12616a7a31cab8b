import { closeSync, constants, fstatSync, openSync, readSync, rmSync, writeSync } from 'node:fs';

/** Rows of a lane, both ends included. */
export interface SeqRange {
  deviceId: string;
  instanceId: string;
  lane: number;
  from: number;
  to: number;
}

/**
 * What the core has under way, in a file: one plain write before a batch of events is run and one when nothing is left,
 * without a sync. It is for the end of the process, which the page cache outlives; after a power cut nobody asks.
 *
 *     u32 length of the text, then the text: a line `device instance lane from to` for each range
 */
export class SuspectFile {
  readonly #path: string;
  readonly #descriptor: number;
  #isEmpty = true;

  constructor(path: string) {
    this.#path = path;
    this.#descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  }

  /** What the process before this one had under way when it ended. */
  read(): SeqRange[] {
    const bytes = Buffer.alloc(fstatSync(this.#descriptor).size);
    readSync(this.#descriptor, bytes, 0, bytes.length, 0);
    if (bytes.length < 4) return [];
    const text = bytes.subarray(4, 4 + bytes.readUInt32LE(0)).toString('latin1');
    this.#isEmpty = text === '';
    return text.split('\n').flatMap((line) => parseRange(line) ?? []);
  }

  begin(ranges: readonly SeqRange[]): void {
    if (ranges.length === 0) return this.end();
    let text = '';
    for (const { deviceId, instanceId, lane, from, to } of ranges)
      text += `${deviceId} ${instanceId} ${lane} ${from} ${to}\n`;
    const bytes = Buffer.allocUnsafe(4 + text.length);
    bytes.writeUInt32LE(text.length, 0);
    bytes.write(text, 4, 'latin1');
    this.#write(bytes);
    this.#isEmpty = false;
  }

  /** Nothing is under way. */
  end(): void {
    if (this.#isEmpty) return;
    this.#write(Buffer.alloc(4));
    this.#isEmpty = true;
  }

  /** An orderly end leaves no file; what the last process left and nobody has read stays. */
  close(): void {
    closeSync(this.#descriptor);
    if (this.#isEmpty) rmSync(this.#path, { force: true });
  }

  /** A full disk must not stop what can do without this file. */
  #write(bytes: Buffer): void {
    try {
      writeSync(this.#descriptor, bytes, 0, bytes.length, 0);
    } catch {
      this.#isEmpty = false;
    }
  }
}

function parseRange(line: string): SeqRange | undefined {
  const match = /^(\S+) ([0-9a-f]{16}) ([0-3]) (\d{1,16}) (\d{1,16})$/.exec(line);
  if (match === null) return undefined;
  const [, deviceId, instanceId, lane, from, to] = match as unknown as [string, string, string, string, string, string];
  return { deviceId, instanceId, lane: Number(lane), from: Number(from), to: Number(to) };
}
