import { open, readFile, rename, rm } from 'node:fs/promises';
import { parseCheckpoint, type Checkpoint } from '../../audit/index.ts';
import { systemErrorCode } from '../../error.ts';

const maxBytes = 1024 * 1024;
/** What a file that grew too large keeps: the newest, and of the older ones every fourth. */
const keptNewest = 500;
const keptOlderEach = 4;

/** The signed heads, one a line, the newest last. Outside of the database, so that it says what the database had. */
export class CheckpointFile {
  readonly path: string;
  #bytes = 0;

  constructor(path: string) {
    this.path = path;
  }

  /** The newest head that is there; what a crash has left half written is taken off the end. */
  async open(): Promise<Checkpoint | undefined> {
    const text = await this.#read();
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    this.#bytes = Buffer.byteLength(whole);
    if (whole.length < text.length) {
      await using file = await open(this.path, 'r+');
      await file.truncate(this.#bytes);
    }
    const lines = whole.split('\n').slice(0, -1);
    return lines.map(parseCheckpoint).findLast((checkpoint) => checkpoint !== undefined);
  }

  /** Durable when it resolves. */
  async append(checkpoint: Checkpoint): Promise<void> {
    const line = `${JSON.stringify(checkpoint)}\n`;
    if (this.#bytes + line.length > maxBytes) await this.#thin();
    await using file = await open(this.path, 'a', 0o600);
    await file.writeFile(line);
    await file.sync();
    this.#bytes += Buffer.byteLength(line);
  }

  async #thin(): Promise<void> {
    const lines = (await this.#read()).split('\n').slice(0, -1);
    const older = lines.slice(0, -keptNewest).filter((_, index) => index % keptOlderEach === 0);
    const text = [...older, ...lines.slice(-keptNewest)].map((line) => `${line}\n`).join('');
    const fresh = `${this.path}.new`;
    await rm(fresh, { force: true });
    {
      await using file = await open(fresh, 'wx', 0o600);
      await file.writeFile(text);
      await file.sync();
    }
    await rename(fresh, this.path);
    this.#bytes = Buffer.byteLength(text);
  }

  async #read(): Promise<string> {
    try {
      return await readFile(this.path, 'utf8');
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return '';
      throw error;
    }
  }
}
