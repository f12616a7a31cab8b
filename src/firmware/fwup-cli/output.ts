import { writeSync } from 'node:fs';
import type { ByteString } from '../config/source-text.ts';
import type { ProgressReport } from '../apply/progress.ts';

/** How progress is shown. */
export type ProgressMode = 'off' | 'framing' | 'numeric' | 'bar';

/** u32 big-endian length of what follows, 2 letters, u16 big-endian code, text. */
const frameType = { ok: 'OK', error: 'ER', info: 'WN', progress: 'PR' } as const;
type FrameType = keyof typeof frameType;

const barWidth = 36;
const retryMs = 2;

/** fwup's standard output: plain lines, or frames. Everything is written at once, so that nothing is lost at exit. */
export class FwupOutput {
  framing = false;
  mode: ProgressMode = 'off';
  #startMs: number | undefined;

  /** The result of a command: bytes as they are, or one frame. */
  result(text: ByteString): void {
    this.#say('ok', text, text);
  }

  error(text: string): void {
    this.#sayLine('error', text);
  }

  info(text: string): void {
    this.#sayLine('info', text);
  }

  progress(report: ProgressReport & { inputBytes: number }): void {
    switch (this.mode) {
      case 'off':
        return;
      case 'framing':
        this.#frame('progress', report.percent, Buffer.alloc(0));
        return;
      case 'numeric':
        write(1, `${report.percent}\n`);
        return;
      case 'bar':
        if (report.totalUnits > 0) this.#startMs ??= performance.now();
        write(1, bar(report));
    }
  }

  /** What follows the last progress of an apply that succeeded. */
  finished(): void {
    if (this.mode !== 'bar') return;
    write(1, '\nSuccess!\n');
    if (this.#startMs !== undefined) write(1, elapsed(Math.floor(performance.now() - this.#startMs)));
  }

  /** Control-Z and the exit code, where the caller asked for it. */
  handshake(code: number): void {
    write(1, Buffer.from([0x1a, code]));
  }

  diagnostic(text: string): void {
    write(2, text);
  }

  plain(text: string): void {
    write(1, text);
  }

  #sayLine(type: FrameType, text: string): void {
    const bytes = Buffer.from(text).toString('latin1');
    this.#say(type, bytes, `fwup: ${bytes}\n`);
  }

  #say(type: FrameType, framed: ByteString, plain: ByteString): void {
    if (this.framing) {
      this.#frame(type, 0, Buffer.from(framed, 'latin1'));
      return;
    }
    if (plain === '') return;
    if (this.mode === 'bar') write(1, '\r\x1b[K'); // over the bar
    write(1, Buffer.from(plain, 'latin1'));
  }

  #frame(type: FrameType, code: number, text: Buffer): void {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(4 + text.length, 0);
    head.write(frameType[type], 4, 'latin1');
    head.writeUInt16BE(code & 0xffff, 6);
    write(1, Buffer.concat([head, text]));
  }
}

function bar({ percent, doneUnits, totalUnits, inputBytes }: ProgressReport & { inputBytes: number }): string {
  const marks = '='.repeat(Math.max(0, Math.floor((percent * barWidth) / 100)));
  const line = `\r${String(percent).padStart(3)}% [${marks.padEnd(barWidth)}]`;
  if (totalUnits === 0) return line;
  return `${line} ${amount(inputBytes)} in / ${amount(doneUnits)} out     \b\b\b\b\b`;
}

const units = ['bytes', 'KB', 'MB', 'GB', 'TB'];

function amount(count: number): string {
  let value = count;
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${value.toFixed(2)} ${units[unit]}`;
}

function elapsed(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (ms > 60_000) return `Elapsed time: ${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s\n`;
  return `Elapsed time: ${seconds}.${String(ms % 1000).padStart(3, '0')} s\n`;
}

/** All of it, also into a pipe that is full and does not block. Nobody reads any more: then nothing is left to say. */
export function write(descriptor: 1 | 2, text: string | Buffer): void {
  let rest = typeof text === 'string' ? Buffer.from(text) : text;
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, retryMs);
    }
  }
}
