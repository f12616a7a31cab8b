import { blockBytes } from '../segment-cache.ts';
import { fromByteString, type ByteString } from '../../config/source-text.ts';
import { configError } from '../../config/source-text.ts';
import { FlotillaError } from '../../../error.ts';
import { fillHoles } from '../filled-hole.ts';
import { numberArgument, type ActionContext, type PlannedAction, type Planner } from '../planned-action.ts';
import { attribute } from './entry.ts';
import { FatFault, fatError, isAbsent, isFatError, named } from './fat-fault.ts';
import { layoutVolume } from './format.ts';
import type { FatVolume } from './volume.ts';
import type { FatVolumes } from './volume-set.ts';

/** The actions on FAT file systems. The first argument is always the block at which one begins. */
export const fatPlanners: Record<string, Planner> = {
  fat_mkfs: planMkfs,
  fat_write: planWrite,
  fat_cp: planCopy,
  fat_mkdir: planOne((volume, [path = '']) => named('fat_mkdir', path, () => volume.mkdir(path))),
  fat_touch: planOne((volume, [path = '']) => named('fat_touch', path, () => volume.touch(path))),
  fat_setlabel: planOne((volume, [label = '']) => named('fat_setlabel', label, () => volume.setLabel(label))),
  fat_attrib: planAttributes,
  fat_rm: planOne((volume, [path = '']) => named('fat_rm', path, () => removeIfThere(volume, path))),
  'fat_rm!': planOne((volume, [path = '']) => named('fat_rm!', path, () => volume.remove(path))),
  fat_mv: planOne((volume, [from = '', to = '']) => named('fat_mv', from, () => volume.move(from, to))),
  'fat_mv!': planOne(async (volume, [from = '', to = '']) => {
    await named('fat_mv!', to, async () => {
      if (!(await volume.isSame(from, to).catch(() => false))) await removeIfThere(volume, to);
    });
    await named('fat_mv!', from, () => volume.move(from, to));
  }),
};

/** An action that works on one file system, counted as one block. */
function planOne(act: (volume: FatVolume, args: readonly ByteString[]) => Promise<void>): Planner {
  return ({ call }) => {
    const block = numberArgument(call, 0);
    return oneBlock(({ fat }) => act(fat.at(block), call.args.slice(1)));
  };
}

function oneBlock(act: (context: ActionContext) => Promise<void>, endBytes = 0): PlannedAction {
  return {
    units: blockBytes,
    endBytes,
    readsData: false,
    async run(context) {
      await act(context);
      context.progress.add(blockBytes);
    },
  };
}

/** fwup does not look whether it did anything. */
function planAttributes({ call }: Parameters<Planner>[0]): PlannedAction {
  const block = numberArgument(call, 0);
  const [, path = '', letters = ''] = call.args;
  return oneBlock(({ fat, asFwup }) =>
    named('fat_attrib', path, () => fat.at(block).setAttributes(path, attributesOf(letters))).catch(
      (error: unknown) => {
        if (!asFwup || !isFatError(error)) throw error;
      },
    ),
  );
}

/** A size that gives no file system is refused before anything is written. */
function planMkfs({ call }: Parameters<Planner>[0]): PlannedAction {
  const block = numberArgument(call, 0);
  const sectors = numberArgument(call, 1);
  try {
    layoutVolume(sectors);
  } catch (error) {
    throw error instanceof FatFault ? fatError('fat_mkfs', '', error) : error;
  }
  return oneBlock(({ fat }) => fat.at(block).format(sectors), (block + sectors) * blockBytes);
}

function planWrite({ call, record }: Parameters<Planner>[0]): PlannedAction {
  if (!record) throw configError(call.place, 'fat_write only usable in on-resource');
  const block = numberArgument(call, 0);
  const path = call.args[1] ?? record.name;
  return {
    units: record.fileBytes,
    endBytes: 0,
    readsData: true,
    async run({ fat, progress, signal }, data) {
      const writer = await named("Can't open file on FAT partition", path, () => fat.at(block).write(path));
      const full = (expected: number, taken: number): FlotillaError =>
        fullError(
          `Error writing file to FAT: ${fromByteString(path)}, expected ${expected} bytes written, got ${taken} (maybe the disk is full?)`,
        );
      const checked = async (expected: number, write: () => Promise<number>): Promise<void> => {
        const taken = await named("fat_write can't write", path, write);
        if (taken < expected) throw full(expected, taken);
      };
      for await (const chunk of fillHoles(record.map, data)) {
        signal?.throwIfAborted();
        await checked(chunk.length, () => writer.append(chunk));
        progress.add(chunk.length);
      }
      await checked(1, async () => ((await writer.finish()) ? 1 : 0));
    },
  };
}

/** From one file system to another, or within one; a file copied onto itself stays as it is. */
function planCopy({ call }: Parameters<Planner>[0]): PlannedAction {
  const isAcross = call.args.length > 3;
  const fromBlock = numberArgument(call, 0);
  const toBlock = isAcross ? numberArgument(call, 2) : fromBlock;
  const from = call.args[1] ?? '';
  const to = call.args[isAcross ? 3 : 2] ?? '';
  return oneBlock(async ({ fat, signal }) => {
    const source = await named("fatfs_cp can't open file", from, () => fat.at(fromBlock).open(from));
    try {
      if (
        fromBlock === toBlock &&
        (await fat
          .at(toBlock)
          .isSame(from, to)
          .catch(() => false))
      )
        return;
      const writer = await named("fatfs_cp can't open file", to, () => fat.at(toBlock).write(to));
      for await (const chunk of source.chunks()) {
        signal?.throwIfAborted();
        const taken = await named("fatfs_cp can't write", to, () => writer.append(chunk));
        if (taken < chunk.length) throw fullError('Error copying file to FAT');
      }
      if (!(await named("fatfs_cp can't write", to, () => writer.finish())))
        throw fullError('Error copying file to FAT');
    } finally {
      source.close();
    }
  });
}

function fullError(message: string): FlotillaError {
  return new FlotillaError('failed', 'firmware-fat-full', message, {
    suggestion: 'make the file system larger (COUNT of fat_mkfs), or remove files first',
  });
}

async function removeIfThere(volume: FatVolume, path: ByteString): Promise<void> {
  await volume.remove(path).catch((error: unknown) => {
    if (!isAbsent(error)) throw error;
  });
}

function attributesOf(letters: ByteString): number {
  const has = (letter: string): boolean => letters.toUpperCase().includes(letter);
  return (has('S') ? attribute.system : 0) | (has('H') ? attribute.hidden : 0) | (has('R') ? attribute.readOnly : 0);
}

/** A file that a delta is made from; the caller closes it. Opened before the first action of the resource is run. */
export function openDeltaSource(fat: FatVolumes, block: number, path: ByteString): ReturnType<FatVolume['open']> {
  return named("fat_pread can't open file", path, () => fat.at(block).open(path));
}
