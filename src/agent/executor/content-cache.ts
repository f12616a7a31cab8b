/** Content that jobs need, by its SHA-256, in a folder of the agent's state: fetched once for a device, bounded, verified. */
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync } from 'node:fs';
import { open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { FlotillaError, systemErrorCode } from '../../error.ts';
import type { Content } from '../../protocol/job-action.ts';
import type { Link } from '../link/port.ts';

export interface ContentCacheOption {
  directory: string;
  link: Pick<Link, 'fetch'>;
  maxBytes?: number;
}

const partBytes = 262_144;
const defaultMaxBytes = 128 * 1024 * 1024;

export class ContentCache {
  readonly #directory: string;
  readonly #link: Pick<Link, 'fetch'>;
  readonly #maxBytes: number;

  constructor({ directory, link, maxBytes = defaultMaxBytes }: ContentCacheOption) {
    this.#directory = directory;
    this.#link = link;
    this.#maxBytes = maxBytes;
  }

  /** Where it is, if it is here whole; the digest is proved anew, because a disk may have changed it since. */
  async find({ sha256, sizeBytes }: Content): Promise<string | undefined> {
    const path = join(this.#directory, sha256);
    const found = await stat(path).catch(() => undefined);
    if (found?.size !== sizeBytes) return undefined;
    const digest = createHash('sha256');
    for await (const chunk of createReadStream(path)) digest.update(chunk as Buffer);
    if (digest.digest('hex') !== sha256) {
      await rm(path, { force: true });
      return undefined;
    }
    const now = new Date();
    await utimes(path, now, now).catch(() => undefined); // the oldest use goes first
    return path;
  }

  /**
   * Fetches it unless it is here. @throws FlotillaError: `link-lost` and `fetch-aborted` may be tried again, anything
   * else will be the same the next time
   */
  async fetch(content: Content, signal: AbortSignal): Promise<void> {
    const { sha256, sizeBytes } = content;
    if (sizeBytes > this.#maxBytes) {
      throw new FlotillaError('failed', 'content-too-large', `${sizeBytes} bytes are more than this device keeps`, {
        expected: `at most ${this.#maxBytes} bytes`,
      });
    }
    if ((await this.find(content)) !== undefined) return;
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    await this.#makeRoom(sizeBytes);
    const path = join(this.#directory, `${sha256}.part`);
    try {
      await using file = await open(path, 'w', 0o600);
      const digest = createHash('sha256');
      for (let offset = 0; offset < sizeBytes; offset += partBytes) {
        const length = Math.min(partBytes, sizeBytes - offset);
        const part = await this.#link.fetch({ sha256, offset, length }, signal);
        digest.update(part);
        await file.write(part, 0, length, offset);
      }
      if (digest.digest('hex') !== sha256) {
        throw new FlotillaError('failed', 'content-changed', 'what came is not what was announced', {
          expected: sha256,
        });
      }
      await file.sync();
      await rename(path, join(this.#directory, sha256));
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
    await using folder = await open(this.#directory, 'r');
    await folder.sync();
  }

  async #makeRoom(neededBytes: number): Promise<void> {
    const names = await readdir(this.#directory);
    const files = await Promise.all(
      names.map(async (name) => {
        const path = join(this.#directory, name);
        const { size, mtimeMs } = await stat(path);
        return { path, size, mtimeMs };
      }),
    );
    let bytes = files.reduce((sum, { size }) => sum + size, 0);
    for (const { path, size } of files.toSorted((a, b) => a.mtimeMs - b.mtimeMs)) {
      if (bytes + neededBytes <= this.#maxBytes) return;
      await rm(path, { force: true });
      bytes -= size;
    }
  }
}

/** May the next try go better? */
export function isPassing(error: unknown): boolean {
  if (error instanceof FlotillaError) return error.code === 'link-lost' || error.code === 'fetch-aborted';
  return systemErrorCode(error) === 'ENOSPC';
}
