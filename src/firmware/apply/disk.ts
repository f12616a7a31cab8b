import { constants } from 'node:fs';
import { open, readFile, stat, type FileHandle } from 'node:fs/promises';
import { execa } from 'execa';
import { FlotillaError, systemErrorCode } from '../../error.ts';
import { segmentBytes, type Medium } from './segment-cache.ts';

export interface DiskOption {
  /** A hard end: of a file that stands for a disk, or before the end of a device. */
  readonly sizeBytes?: number | undefined;
  /** Reads back what was written; by default of devices. */
  readonly verifyWrites?: boolean | undefined;
  /** Reads before it writes, and leaves alone what is the same already. */
  readonly minimizeWrites?: boolean | undefined;
  /** Passes trim(…) on to a device. */
  readonly enableTrim?: boolean | undefined;
  /**
   * As fwup: the file is made at once, any device is taken, and what lies behind a hard end inside its last segment
   * is dropped without a word.
   */
  readonly asFwup?: boolean | undefined;
}

interface DiskFacts {
  readonly isDevice: boolean;
  readonly hardEndBytes: number | undefined;
  readonly endBytes: number;
}

/**
 * The destination: an image file or a block device. A file is created by the first write, so an apply that is refused
 * leaves nothing behind (unless it is to be as fwup's).
 */
export class Disk implements Medium {
  readonly path: string;
  readonly isDevice: boolean;
  /** Where the medium ends for certain (a device, or a size given by the caller); writes past it are refused. */
  readonly hardEndBytes: number | undefined;
  /** Bytes handed to the operating system. */
  bytesWritten = 0;
  readonly #option: DiskOption;
  #endBytes: number;
  #handle: FileHandle | undefined;
  /** Being made: several writes may be the first. */
  #making: Promise<FileHandle> | undefined;

  private constructor(path: string, facts: DiskFacts, option: DiskOption) {
    this.path = path;
    this.isDevice = facts.isDevice;
    this.hardEndBytes = facts.hardEndBytes;
    this.#endBytes = facts.endBytes;
    this.#option = { ...option, verifyWrites: option.verifyWrites ?? facts.isDevice };
  }

  static async open(path: string, option: DiskOption = {}): Promise<Disk> {
    const { sizeBytes } = option;
    const found = await stat(path).catch((cause) => {
      if (systemErrorCode(cause) === 'ENOENT') return undefined;
      throw destinationError(path, cause, option);
    });
    if (!found) {
      if (path.startsWith('/dev/')) throw destinationError(path, new Error('no such device'), option);
      const facts = { isDevice: false, hardEndBytes: sizeBytes, endBytes: sizeBytes ?? 0 };
      const disk = new Disk(path, facts, option);
      if (option.asFwup) await disk.#writable();
      return disk;
    }
    const isDevice = found.isBlockDevice() || (option.asFwup === true && found.isCharacterDevice());
    if (!isDevice && !found.isFile()) {
      throw destinationError(path, new Error('neither a file nor a block device'), option);
    }
    if (!isDevice && (found.mode & 0o222) === 0) throw destinationError(path, new Error('it is read-only'), option);
    const deviceBytes = found.isBlockDevice() ? await blockDeviceBytes(found.rdev) : undefined;
    const hardEndBytes =
      deviceBytes === undefined || sizeBytes === undefined
        ? (sizeBytes ?? deviceBytes)
        : Math.min(sizeBytes, deviceBytes);
    const isNull = path === '/dev/null';
    const facts = { isDevice, hardEndBytes, endBytes: hardEndBytes ?? (isDevice ? 0 : found.size) };
    const disk = new Disk(path, facts, isNull ? { ...option, verifyWrites: false, minimizeWrites: false } : option);
    disk.#handle = await open(path, 'r+').catch((cause) => {
      throw destinationError(path, cause, option);
    });
    return disk;
  }

  /** Where it ends now: the hard end, or as far as an existing file goes. 0: unknown. */
  get endBytes(): number {
    return this.#endBytes;
  }

  /** Always `length` bytes; what lies past the end is zeros. */
  async read(offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(length);
    this.#checkStart(offset);
    for (let done = 0; this.#handle && done < length;) {
      const { bytesRead } = await this.#handle.read(bytes, done, length - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes;
  }

  async write(offset: number, parts: readonly Buffer[]): Promise<void> {
    this.#checkStart(offset);
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const isPlain = !this.#option.minimizeWrites && !this.#option.verifyWrites;
    if (isPlain && offset + length <= (this.hardEndBytes ?? Number.POSITIVE_INFINITY)) {
      await this.#writeAll(offset, parts, length);
      return;
    }
    let at = offset;
    for (const part of parts) {
      await this.#writePart(at, part);
      at += part.length;
    }
  }

  async #writePart(offset: number, whole: Buffer): Promise<void> {
    this.#checkStart(offset);
    const bytes = this.#withinEnd(offset, whole);
    if (bytes.length === 0) return;
    if (this.#option.minimizeWrites && (await this.read(offset, bytes.length)).equals(bytes)) return;
    await this.#writeAll(offset, [bytes], bytes.length);
    if (this.#option.verifyWrites && !(await this.read(offset, bytes.length)).equals(bytes)) {
      throw verificationError(this.path, offset);
    }
  }

  async #writeAll(offset: number, parts: readonly Buffer[], length: number): Promise<void> {
    const handle = await this.#writable();
    for (let done = 0, left = parts; done < length;) {
      const { bytesWritten } = await handle.writev(left, offset + done).catch((cause) => {
        throw this.#writeError(cause, offset + done);
      });
      done += bytesWritten;
      this.bytesWritten += bytesWritten;
      left = without(left, bytesWritten);
    }
    if (this.hardEndBytes === undefined && this.#endBytes > 0) {
      this.#endBytes = Math.max(this.#endBytes, Math.ceil((offset + length) / segmentBytes) * segmentBytes);
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
    await this.#handle?.sync().catch((cause: unknown) => {
      if (systemErrorCode(cause) !== 'EINVAL') throw this.#writeError(cause, 0); // /dev/null and the like can't
    });
  }

  /** Node has no ioctl; util-linux's tool sends BLKDISCARD. Failing is no harm: it is a hint. */
  async discard(offset: number, length: number): Promise<void> {
    if (!this.#option.enableTrim || !this.isDevice) return;
    await execa('blkdiscard', ['--offset', String(offset), '--length', String(length), this.path], { reject: false });
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }

  #checkStart(offset: number): void {
    const segment = Math.floor(offset / segmentBytes) * segmentBytes;
    if (this.hardEndBytes === undefined || segment <= this.hardEndBytes || !this.#option.asFwup) return;
    throw diskTooSmall(this, offset, `read/write failed at offset ${segment} since past end of media (${this.hardEndBytes}).`); // prettier-ignore
  }

  #withinEnd(offset: number, bytes: Buffer): Buffer {
    const end = offset + bytes.length;
    if (this.hardEndBytes === undefined || end <= this.hardEndBytes) return bytes;
    if (this.#option.asFwup) return bytes.subarray(0, Math.max(0, this.hardEndBytes - offset));
    throw diskTooSmall(this, end);
  }

  async #writable(): Promise<FileHandle> {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
    this.#making ??= this.#handle
      ? Promise.resolve(this.#handle)
      : open(this.path, flags, 0o644).catch((cause) => {
          throw destinationError(this.path, cause, this.#option);
        });
    this.#handle = await this.#making;
    return this.#handle;
  }

  #writeError(cause: unknown, offset: number): FlotillaError {
    const fwup = `write failed at offset ${Math.floor(offset / segmentBytes) * segmentBytes}. Check media size.`;
    if (systemErrorCode(cause) === 'ENOSPC') {
      return new FlotillaError('failed', 'disk-full', `no room for ${this.path} at byte ${offset}`, {
        suggestion: this.isDevice ? 'use a larger medium' : 'free some space and apply again',
        cause,
        fwup,
      });
    }
    return new FlotillaError('failed', 'firmware-write-failed', `cannot write to ${this.path} at byte ${offset}`, {
      seen: cause instanceof Error ? cause.message : String(cause),
      suggestion: 'check the medium',
      cause,
      fwup,
    });
  }
}

/** What is left of the parts behind so many bytes. */
function without(parts: readonly Buffer[], count: number): Buffer[] {
  let skip = count;
  return parts.flatMap((part) => {
    const rest = part.subarray(Math.min(skip, part.length));
    skip -= part.length - rest.length;
    return rest.length > 0 ? [rest] : [];
  });
}

export function diskTooSmall(disk: Disk, neededBytes: number, fwup?: string): FlotillaError {
  return new FlotillaError('failed', 'firmware-disk-too-small', `${disk.path} is too small for this bundle`, {
    seen: `${disk.hardEndBytes} bytes`,
    expected: `at least ${neededBytes} bytes`,
    suggestion: 'use a larger disk, or a configuration with smaller partitions',
    ...(fwup === undefined ? {} : { fwup }),
  });
}

function verificationError(path: string, offset: number): FlotillaError {
  return new FlotillaError(
    'failed',
    'firmware-write-failed',
    `${path} did not keep what was written at byte ${offset}`,
    {
      suggestion: 'replace the medium',
      fwup: `write verification failed at offset ${Math.floor(offset / segmentBytes) * segmentBytes}`,
    },
  );
}

function destinationError(path: string, cause: unknown, { asFwup }: DiskOption): FlotillaError {
  const isMissing = systemErrorCode(cause) === 'ENOENT' || systemErrorCode(cause) === 'ENOTDIR';
  const absent = isMissing || (path.startsWith('/dev/') && systemErrorCode(cause) === undefined && asFwup === true);
  return new FlotillaError('usage', 'firmware-destination-unusable', `cannot open ${path} for output`, {
    seen: cause instanceof Error ? cause.message : String(cause),
    suggestion: 'check the path and its permissions, or the read-only tab of the card',
    cause,
    fwup: absent
      ? `Cannot create '${path}'.\nCheck the path and permissions on the containing directory.`
      : `Cannot open '${path}' for output.\nCheck file permissions or the read-only tab if this is an SD Card.`,
  });
}

/** From sysfs, which counts in 512-byte blocks whatever the device's own. */
async function blockDeviceBytes(device: number): Promise<number | undefined> {
  const { major, minor } = deviceNumbers(device);
  const text = await readFile(`/sys/dev/block/${major}:${minor}/size`, 'utf8').catch(() => undefined);
  const blocks = Number(text);
  return text !== undefined && Number.isSafeInteger(blocks) && blocks > 0 ? blocks * 512 : undefined;
}

/** Linux's two numbers of a device, from st_dev or st_rdev. */
export function deviceNumbers(device: number): { major: number; minor: number } {
  return {
    major: Math.floor(device / 256) & 0xfff,
    minor: (device & 0xff) | (Math.floor(device / 4096) & 0xfff00),
  };
}
