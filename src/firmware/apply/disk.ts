import { open, readFile, stat, type FileHandle } from 'node:fs/promises';
import { FlotillaError, systemErrorCode } from '../../error.ts';

/**
 * The destination: an image file or a block device. A file is created by the first write, so an apply that is refused
 * leaves nothing behind.
 */
export class Disk {
  readonly path: string;
  readonly isDevice: boolean;
  /** Where the medium ends for certain (a device, or a size given by the caller); writes past it are refused. */
  readonly hardEndBytes: number | undefined;
  /** Where it ends now: the hard end, or the size of an existing file. 0: unknown. */
  readonly endBytes: number;
  /** Bytes handed to the operating system. */
  bytesWritten = 0;
  #handle: FileHandle | undefined;

  private constructor(path: string, facts: { isDevice: boolean; hardEndBytes: number | undefined; endBytes: number }) {
    this.path = path;
    this.isDevice = facts.isDevice;
    this.hardEndBytes = facts.hardEndBytes;
    this.endBytes = facts.endBytes;
  }

  static async open(path: string, sizeBytes?: number): Promise<Disk> {
    const found = await stat(path).catch((cause) => {
      if (systemErrorCode(cause) === 'ENOENT') return undefined;
      throw destinationError(path, cause);
    });
    if (!found) {
      if (path.startsWith('/dev/')) throw destinationError(path, new Error('no such device'));
      return new Disk(path, { isDevice: false, hardEndBytes: sizeBytes, endBytes: sizeBytes ?? 0 });
    }
    const isDevice = found.isBlockDevice();
    if (!isDevice && !found.isFile()) throw destinationError(path, new Error('neither a file nor a block device'));
    if (!isDevice && (found.mode & 0o222) === 0) throw destinationError(path, new Error('it is read-only'));
    const deviceBytes = isDevice ? await blockDeviceBytes(found.rdev) : undefined;
    const hardEndBytes =
      deviceBytes === undefined || sizeBytes === undefined
        ? (sizeBytes ?? deviceBytes)
        : Math.min(sizeBytes, deviceBytes);
    const disk = new Disk(path, { isDevice, hardEndBytes, endBytes: hardEndBytes ?? (isDevice ? 0 : found.size) });
    disk.#handle = await open(path, 'r+').catch((cause) => {
      throw destinationError(path, cause);
    });
    return disk;
  }

  /** Always `length` bytes; what lies past the end is zeros. */
  async read(offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(length);
    for (let done = 0; this.#handle && done < length;) {
      const { bytesRead } = await this.#handle.read(bytes, done, length - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes;
  }

  async write(offset: number, bytes: Buffer): Promise<void> {
    const end = offset + bytes.length;
    if (this.hardEndBytes !== undefined && end > this.hardEndBytes) throw diskTooSmall(this, end);
    const handle = await this.#writable();
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, offset + done).catch((cause) => {
        throw this.#writeError(cause, offset + done);
      });
      done += bytesWritten;
      this.bytesWritten += bytesWritten;
    }
  }

  /** Files only: makes it at least this long, with zeros (fwup's images are whole 128 KiB segments). */
  async extendTo(length: number): Promise<void> {
    if (this.isDevice || length === 0) return;
    const wanted = Math.min(length, this.hardEndBytes ?? length);
    const handle = await this.#writable();
    if ((await handle.stat()).size < wanted) await handle.truncate(wanted);
  }

  /** Returns when everything written is on the medium. */
  async sync(): Promise<void> {
    await this.#handle?.sync();
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async #writable(): Promise<FileHandle> {
    this.#handle ??= await open(this.path, 'wx+', 0o644).catch((cause) => {
      throw destinationError(this.path, cause);
    });
    return this.#handle;
  }

  #writeError(cause: unknown, offset: number): FlotillaError {
    if (systemErrorCode(cause) === 'ENOSPC') {
      return new FlotillaError('failed', 'disk-full', `no room for ${this.path} at byte ${offset}`, {
        suggestion: this.isDevice ? 'use a larger medium' : 'free some space and apply again',
        cause,
      });
    }
    return new FlotillaError('failed', 'firmware-write-failed', `cannot write to ${this.path} at byte ${offset}`, {
      seen: cause instanceof Error ? cause.message : String(cause),
      suggestion: 'check the medium',
      cause,
    });
  }
}

export function diskTooSmall(disk: Disk, neededBytes: number): FlotillaError {
  return new FlotillaError('failed', 'firmware-disk-too-small', `${disk.path} is too small for this bundle`, {
    seen: `${disk.hardEndBytes} bytes`,
    expected: `at least ${neededBytes} bytes`,
    suggestion: 'use a larger disk, or a configuration with smaller partitions',
  });
}

function destinationError(path: string, cause: unknown): FlotillaError {
  return new FlotillaError('usage', 'firmware-destination-unusable', `cannot open ${path} for output`, {
    seen: cause instanceof Error ? cause.message : String(cause),
    suggestion: 'check the path and its permissions, or the read-only tab of the card',
    cause,
  });
}

/** From sysfs, which counts in 512-byte blocks whatever the device's own. */
async function blockDeviceBytes(device: number): Promise<number | undefined> {
  const major = Math.floor(device / 256) & 0xfff;
  const minor = (device & 0xff) | (Math.floor(device / 4096) & 0xfff00);
  const text = await readFile(`/sys/dev/block/${major}:${minor}/size`, 'utf8').catch(() => undefined);
  const blocks = Number(text);
  return text !== undefined && Number.isSafeInteger(blocks) && blocks > 0 ? blocks * 512 : undefined;
}
