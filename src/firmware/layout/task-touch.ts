import { BundleFile } from '../archive/bundle-file.ts';
import { readBundleHead } from '../archive/bundle-head.ts';
import { ByteReader } from '../archive/byte-reader.ts';
import { ZipReader } from '../archive/zip-reader.ts';
import { resourceRecord } from '../config/resource.ts';
import { fromByteString } from '../config/source-text.ts';
import { endOf, formatRange, overlapOf, type BlockRange } from './block-range.ts';
import { diskModel, type DiskModel } from './disk-model.ts';
import { placesOf } from './overlap.ts';
import { partitionsOf, tablesOf } from './partition.ts';
import { formatCall } from './step.ts';
import type { TaskModel } from './task-model.ts';

/** An action that touches blocks which are not the task's. */
export interface TaskTouch {
  task: string;
  /** As it stands: `raw_write(2048)`. */
  action: string;
  /** What of them. */
  where: string;
}

/**
 * The first action of each task whose title begins with `task` that writes into one of `ranges`, or writes a partition table
 * in which no partition begins where that does and holds it. By the bundle's text, which says where everything goes but for
 * what is filled in on the device; the length of data without a known size counts as one block.
 */
export async function readTaskTouches(
  path: string,
  option: { publicKeys: readonly Buffer[]; task: string; ranges: readonly Required<BlockRange>[] },
): Promise<TaskTouch[]> {
  const { publicKeys, task, ranges } = option;
  const reader = new ByteReader(new BundleFile(path));
  try {
    const { metaConf } = await readBundleHead(new ZipReader(reader), { publicKeys });
    const { root } = metaConf;
    const sizes = root
      .all('file-resource')
      .map((each) => [each.title, { bytes: resourceRecord(each).fileBytes }] as const);
    const model = diskModel(root, new Map(sizes));
    const tasks = model.tasks.filter((each) => fromByteString(each.task.title).startsWith(task));
    return tasks.flatMap((each) => ranges.flatMap((range) => touchOf(each, model, range) ?? []));
  } finally {
    await reader.close();
  }
}

export function touchOf(model: TaskModel, disk: DiskModel, range: Required<BlockRange>): TaskTouch | undefined {
  for (const { effects, call } of model.steps) {
    for (const effect of effects) {
      const where =
        effect.kind === 'table'
          ? lostIn(disk, effect.name, range)
          : placesOf(effect, disk.regions, disk.root).flatMap((place) => overlapOf(place, range) ?? [])[0];
      if (where === undefined) continue;
      return {
        task: fromByteString(model.task.title),
        action: fromByteString(formatCall(call)),
        where: typeof where === 'string' ? where : formatRange(where),
      };
    }
  }
  return undefined;
}

/** A table that has the same place for what lies there leaves it alone; one that grows may say less than it holds. */
function lostIn(disk: DiskModel, name: string, range: Required<BlockRange>): string | undefined {
  const table = tablesOf(disk.root).find((each) => each.title === name);
  if (table === undefined) return undefined;
  const holds = partitionsOf(table).some(
    (partition) =>
      !partition.isExtended &&
      partition.range.firstBlock === range.firstBlock &&
      (partition.expands || endOf(partition.range) >= endOf(range)),
  );
  return holds ? undefined : `no partition of ${fromByteString(name)} holds ${formatRange(range)}`;
}
