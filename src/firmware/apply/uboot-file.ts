import { open, type FileHandle } from 'node:fs/promises';
import { fromByteString, toByteString } from '../config/source-text.ts';
import { FlotillaError } from '../../error.ts';
import {
  checkUbootVariable,
  loadUbootEnvironment,
  storeUbootEnvironment,
  type BlockStore,
  type UbootLayout,
} from './uboot-environment.ts';

/** The variables of the environment on a disk or image. Throws `uboot-environment-invalid` if no copy is valid. */
export async function readUbootEnvironment(
  pathOrHandle: string | FileHandle,
  layout: UbootLayout,
): Promise<Map<string, string>> {
  return withHandle(pathOrHandle, 'r', async (handle) => {
    const { variables } = await loadUbootEnvironment(handleStore(handle), checked(layout));
    return new Map([...variables].map(([name, value]) => [fromByteString(name), fromByteString(value)]));
  });
}

/**
 * Sets (string) and removes (null) variables in one write, synced when this returns. With a redundant layout the
 * write goes to the older copy: whenever power fails, the environment is the one before or the one after. Not for
 * two writers at once.
 */
export async function writeUbootEnvironment(
  pathOrHandle: string | FileHandle,
  layout: UbootLayout,
  changes: Readonly<Record<string, string | null>>,
): Promise<void> {
  await withHandle(pathOrHandle, 'r+', async (handle) => {
    const store = handleStore(handle);
    const loaded = await loadUbootEnvironment(store, checked(layout));
    const variables = new Map(loaded.variables);
    for (const [key, text] of Object.entries(changes)) {
      const name = toByteString(key);
      const value = text === null ? '' : toByteString(text);
      checkUbootVariable(name, value);
      if (text === null) variables.delete(name);
      else variables.set(name, value);
    }
    const unchanged =
      variables.size === loaded.variables.size &&
      [...variables].every(([name, value]) => loaded.variables.get(name) === value);
    if (unchanged) return;
    await storeUbootEnvironment(store, layout, loaded, variables);
    await handle.datasync();
  });
}

function checked(layout: UbootLayout): UbootLayout {
  const { blockOffset, blockCount, blockOffsetRedund = 0 } = layout;
  const whole = [blockOffset, blockCount, blockOffsetRedund].every(
    (value) => Number.isSafeInteger(value) && value >= 0,
  );
  const apart = layout.blockOffsetRedund === undefined || Math.abs(blockOffsetRedund - blockOffset) >= blockCount;
  if (whole && apart && blockCount > 0 && blockCount < 65_535) return layout;
  throw new FlotillaError('usage', 'uboot-layout-invalid', 'not a layout of a U-Boot environment', {
    seen: JSON.stringify(layout),
    expected: 'block offsets of 0 or more, copies that do not overlap, a block count from 1 to 65534',
  });
}

async function withHandle<T>(
  pathOrHandle: string | FileHandle,
  flags: 'r' | 'r+',
  use: (handle: FileHandle) => Promise<T>,
): Promise<T> {
  if (typeof pathOrHandle !== 'string') return use(pathOrHandle);
  const handle = await open(pathOrHandle, flags);
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
}

/** Reads past the end give zeros: a short image is a blank one. */
function handleStore(handle: FileHandle): BlockStore {
  return {
    async read(offset, length) {
      const bytes = Buffer.alloc(length);
      for (let done = 0; done < length;) {
        const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return bytes;
    },
    async write(offset, bytes) {
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, offset + done);
        done += bytesWritten;
      }
    },
  };
}
