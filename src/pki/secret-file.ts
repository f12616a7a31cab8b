/** Files that hold secrets: made with mode 0600, and refused when anybody else can read them. */
import { type FileHandle, open } from 'node:fs/promises';
import { FlotillaError, systemErrorCode } from '../error.ts';

const maxSecretBytes = 64 * 1024;
const othersMask = 0o077;

/** Writes a new file with mode 0600 and syncs it; never replaces one (EEXIST becomes `secret-file-exists`). */
export async function writeSecretFile(path: string, data: string | Uint8Array): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path, 'wx', 0o600);
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
    throw new FlotillaError('refused', 'secret-file-exists', `${path} exists and is not overwritten`, {
      suggestion: 'choose another path, or move the old file away first',
      cause: error,
    });
  }
  try {
    await file.writeFile(data);
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * Reads a file that only its owner may read (at most 64 KiB). A pipe or a character device (`/dev/stdin`,
 * `<(…)` of a shell) has no mode worth judging and is read as it is.
 */
export async function readSecretFile(path: string): Promise<Buffer> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    const code = systemErrorCode(error);
    throw new FlotillaError('usage', 'secret-file-unreadable', `${path} can't be read`, {
      ...(code === undefined ? {} : { seen: code }),
      expected: 'a file that this user may read',
      suggestion: code === 'ENOENT' ? 'check the path' : `check its owner and mode with ls -l ${path}`,
      cause: error,
    });
  }
  try {
    const status = await file.stat();
    const mode = status.mode & 0o777;
    if (status.isFile() && (mode & othersMask) !== 0) {
      throw new FlotillaError('refused', 'secret-file-exposed', `${path} holds a secret and others may read it`, {
        seen: `mode 0${mode.toString(8)}`,
        expected: 'mode 0600 or stricter',
        suggestion: `chmod 600 ${path}`,
      });
    }
    const buffer = Buffer.alloc(maxSecretBytes + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    if (length > maxSecretBytes) {
      throw new FlotillaError('usage', 'secret-file-too-large', `${path} is too large for a key or a passphrase`, {
        expected: `at most ${maxSecretBytes} bytes`,
      });
    }
    return buffer.subarray(0, length);
  } finally {
    await file.close();
  }
}
