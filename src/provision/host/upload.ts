/** Files onto a host, compressed on the way, whole or not at all; what a broken line left is gone on with. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { FlotillaError } from '../../error.ts';
import { shellQuote } from '../ssh/shell-quote.ts';
import type { SshSession } from '../ssh/ssh-session.ts';

/** A large one may take so long on a bad line. */
const uploadLimitMs = 4 * 3_600_000;

export async function uploadText(session: SshSession, path: string, text: string, mode = '644'): Promise<void> {
  const line = `umask 077 && cat > ${shellQuote([`${path}.new`])} && chmod ${mode} ${shellQuote([`${path}.new`])} && mv ${shellQuote([`${path}.new`, path])}`;
  await must(session, line, { input: text });
}

/** A file that is packed once and sent to many hosts. */
export class Parcel {
  readonly sha256: string;
  readonly bytes: number;
  readonly packedBytes: number;
  /** Of the packed copy. */
  readonly path: string;

  private constructor(packed: Pick<Parcel, 'path' | 'sha256' | 'bytes' | 'packedBytes'>) {
    this.path = packed.path;
    this.packedBytes = packed.packedBytes;
    this.bytes = packed.bytes;
    this.sha256 = packed.sha256;
  }

  /** `folder`: for the packed copy; the caller removes it. */
  static async pack(file: string, folder: string): Promise<Parcel> {
    const hash = createHash('sha256');
    const path = join(folder, `${createHash('sha256').update(file).digest('hex').slice(0, 16)}.gz`);
    const source = createReadStream(file);
    source.on('data', (chunk) => hash.update(chunk));
    await pipeline(source, createGzip({ level: 6 }), createWriteStream(path, { mode: 0o600 }));
    const packedBytes = (await stat(path)).size;
    return new Parcel({ path, packedBytes, bytes: source.bytesRead, sha256: hash.digest('hex') });
  }

  /** Nothing is sent when the host has it already; after a broken line only what is missing. */
  async send(session: SshSession, path: string, option: { mode: string; onBytes?(sent: number): void }): Promise<void> {
    if ((await digestOf(session, path)) === this.sha256) return;
    const part = `${path}.gz`;
    const size = Number((await session.run(`wc -c < ${shellQuote([part])} 2>/dev/null || echo 0`)).stdout.trim()) || 0;
    const start = size <= this.packedBytes ? size : 0;
    if (start === 0) await must(session, `: > ${shellQuote([part])}`, {});
    if (start < this.packedBytes) {
      let sent = start;
      // Counted on its way: a listener of the file's own stream would let it run before anybody reads.
      const counter = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          sent += chunk.length;
          option.onBytes?.(sent);
          done(null, chunk);
        },
      });
      const stream = createReadStream(this.path, { start });
      stream.on('error', (error) => counter.destroy(error));
      const line = `cat >> ${shellQuote([part])}`;
      await must(session, line, { input: stream.pipe(counter), timeoutMs: uploadLimitMs });
    }
    const fresh = `${path}.new`;
    const unpack = `gzip -dc < ${shellQuote([part])} > ${shellQuote([fresh])}`;
    const unpacked = await session.run(unpack, { timeoutMs: 600_000 });
    if (unpacked.exitCode !== 0 || (await digestOf(session, fresh)) !== this.sha256) {
      await session.run(`rm -f ${shellQuote([part, fresh])}`);
      throw new FlotillaError('failed', 'upload-damaged', 'a file did not arrive as it was sent', {
        seen: unpacked.stderr.trim().slice(0, 200) || 'another SHA-256',
        expected: this.sha256,
        suggestion: 'repeat the command; when it stays, look at the disk of the host',
      });
    }
    await must(
      session,
      `chmod ${option.mode} ${shellQuote([fresh])} && mv ${shellQuote([fresh, path])} && rm -f ${shellQuote([part])}`,
      {},
    );
  }
}

/** A folder for parcels that is gone with its block. */
export async function parcelFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'flotilla-parcel-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function digestOf(session: SshSession, path: string): Promise<string | undefined> {
  const { exitCode, stdout } = await session.run(`sha256sum < ${shellQuote([path])} 2>/dev/null`);
  return exitCode === 0 ? stdout.slice(0, 64) : undefined;
}

/** @throws FlotillaError `host-command-failed` for an exit code that is not 0 */
export async function must(
  session: Pick<SshSession, 'run'>,
  line: string,
  option: NonNullable<Parameters<SshSession['run']>[1]>,
): Promise<string> {
  const { exitCode, stdout, stderr } = await session.run(line, option);
  if (exitCode === 0) return stdout;
  throw new FlotillaError('failed', 'host-command-failed', 'a command failed on the host', {
    seen: `exit ${exitCode}: ${(stderr.trim() || stdout.trim()).slice(-400)}`,
    expected: line.slice(0, 200),
  });
}
