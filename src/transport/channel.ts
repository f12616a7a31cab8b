import { Buffer } from 'node:buffer';
import type { Duplex } from 'node:stream';
import { ByteReader } from '../protocol/byte-reader.ts';
import { ByteWriter } from '../protocol/byte-writer.ts';

/** Both ends are our own processes: the bound is against bugs, not against peers. */
const maxChannelFrameBytes = 64 * 1024 * 1024;

/**
 * Length-prefixed frames between two of our processes: u32 length, u8 kind, body. What a tick sends leaves in one
 * write, which makes a message ten times cheaper than one write each.
 */
export class Channel {
  readonly #stream: Duplex;
  readonly #out = new ByteWriter(65_536);
  readonly #body = new ByteWriter(65_536);
  readonly #receive: (kind: number, body: ByteReader) => void;
  #partial: Buffer[] = [];
  #partialBytes = 0;
  #neededBytes = 4;
  #scheduled = false;
  #open = true;

  /** `onClose` is called once, however it ended. A throw of `onFrame` is the receiver's bug and is not caught. */
  constructor(stream: Duplex, onFrame: (kind: number, body: ByteReader) => void, onClose: (reason: string) => void) {
    this.#stream = stream;
    this.#receive = onFrame;
    let problem = 'ended';
    stream.on('data', (chunk: Buffer) => this.#onData(chunk));
    stream.on('error', (error) => {
      problem = error.message;
    });
    stream.on('end', () => stream.destroy());
    stream.on('close', () => {
      this.#open = false;
      onClose(problem);
    });
  }

  /** Sent and not yet with the kernel. */
  get bufferedBytes(): number {
    return this.#stream.writableLength + this.#out.length;
  }

  onDrain(listener: () => void): void {
    this.#stream.on('drain', listener);
  }

  send(kind: number, write: (body: ByteWriter) => void): void {
    if (!this.#open) return;
    this.#body.clear();
    write(this.#body);
    this.#out.uint32(this.#body.length + 1);
    this.#out.byte(kind);
    this.#out.bytes(this.#body.view());
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#flush());
  }

  /** Closes when all that was sent has left. */
  end(): void {
    this.#flush();
    this.#stream.end();
  }

  destroy(): void {
    this.#stream.destroy();
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#open && this.#out.length > 0) this.#stream.write(Buffer.from(this.#out.view()));
    this.#out.clear();
  }

  #onData(chunk: Buffer): void {
    this.#partial.push(chunk);
    this.#partialBytes += chunk.length;
    if (this.#partialBytes < this.#neededBytes) return;
    const bytes = this.#partial.length === 1 ? chunk : Buffer.concat(this.#partial);
    let at = 0;
    this.#neededBytes = 4;
    while (bytes.length - at >= 4) {
      const length = bytes.readUInt32BE(at);
      if (length < 1 || length > maxChannelFrameBytes) {
        this.#stream.destroy(new Error(`a frame of ${length} bytes between our own processes`));
        return;
      }
      if (bytes.length - at < 4 + length) {
        this.#neededBytes = 4 + length;
        break;
      }
      this.#receive(bytes[at + 4]!, new ByteReader(bytes.subarray(at + 5, at + 4 + length)));
      at += 4 + length;
    }
    const rest = bytes.subarray(at);
    this.#partial = rest.length > 0 ? [rest] : [];
    this.#partialBytes = rest.length;
  }
}
