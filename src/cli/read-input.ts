import { open, type FileHandle } from 'node:fs/promises';
import { FlotillaError, systemErrorCode } from '../error.ts';

/** What PEM texts and the like never exceed. */
const maxBytes = 64 * 1024;

/** Reads a small file that the user named on the command line; `what` says in errors what it should have been. */
export async function readInput(path: string, what: string, limitBytes = maxBytes): Promise<Buffer> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (cause) {
    throw unreadable(path, what, cause);
  }
  try {
    const chunks: Buffer[] = [];
    let size = 0;
    for (;;) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(64 * 1024), 0, 64 * 1024, null).catch((cause) => {
        throw unreadable(path, what, cause);
      });
      if (bytesRead === 0) return Buffer.concat(chunks);
      size += bytesRead;
      if (size > limitBytes) {
        throw new FlotillaError('usage', 'file-too-large', `${path} is too large for ${what}`, {
          expected: `at most ${limitBytes} bytes`,
          suggestion: 'check the path',
        });
      }
      chunks.push(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

function unreadable(path: string, what: string, cause: unknown): FlotillaError {
  const code = systemErrorCode(cause);
  return new FlotillaError('usage', 'file-unreadable', `${path} can't be read`, {
    ...(code === undefined ? {} : { seen: code }),
    expected: what,
    suggestion: code === 'EACCES' ? `check its owner and mode: ls -l ${path}` : 'check the path',
    cause,
  });
}
