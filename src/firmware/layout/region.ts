import { parseBlockNumber } from '../config/call-spec.ts';
import { fromByteString, type Place } from '../config/source-text.ts';
import type { Section } from '../config/section.ts';
import { contains, endOf, rangeOf, sameRange, type BlockRange } from './block-range.ts';
import { partitionsOf, tableRange, tablesOf } from './partition.ts';
import type { TaskModel } from './task-model.ts';

export type RegionKind = 'table' | 'partition' | 'uboot-environment' | 'file-system' | 'raw';

/** A place on the disk that something claims. */
export interface Region {
  readonly kind: RegionKind;
  readonly name: string;
  readonly range: BlockRange;
  readonly place: Place;
  /** Partitions: the tables that have it, with its number there. */
  readonly tables: readonly { readonly name: string; readonly index: number }[];
  readonly type?: string;
  readonly expands: boolean;
  /** There is a FAT file system at its start. */
  readonly isFat: boolean;
  /** A U-Boot environment or its second copy. */
  readonly environment?: Section;
}

/** Everything with a place, in the order of the disk. What no section claims but a task writes comes as `raw`. */
export function regionsOf(root: Section, tasks: readonly TaskModel[]): Region[] {
  const claimed = [...tableRegions(root), ...partitionRegions(root, fatBlocks(tasks)), ...environmentRegions(root)];
  const found = [...claimed];
  const unclaimed = [...formattedRegions(tasks), ...rawRegions(tasks)];
  for (const region of unclaimed.toSorted((a, b) => endOf(b.range) - endOf(a.range))) {
    // What begins in a claimed place is its content, even if it runs out of it.
    const start = { firstBlock: region.range.firstBlock, blockCount: 1 };
    if (!found.some(({ kind, range }) => kind !== 'table' && contains(range, start))) found.push(region);
  }
  return found.sort((a, b) => a.range.firstBlock - b.range.firstBlock || endOf(b.range) - endOf(a.range));
}

/** The place that holds the block, the smallest if several do. */
export function regionAt(regions: readonly Region[], block: number): Region | undefined {
  return regions
    .filter(({ range }) => block >= range.firstBlock && block < endOf(range))
    .toSorted((a, b) => endOf(a.range) - a.range.firstBlock - (endOf(b.range) - b.range.firstBlock))[0];
}

function tableRegions(root: Section): Region[] {
  const byKind = new Map<string, Section[]>();
  for (const table of tablesOf(root)) byKind.set(table.kind, [...(byKind.get(table.kind) ?? []), table]);
  const heads = [...byKind].map(([kind, tables]) => {
    const first = tables[0]!;
    const titles = tables.map(({ title }) => fromByteString(title));
    return { ...plain('table', `${kind} table ${titles.join(', ')}`, tableRange(first), first.place) };
  });
  const chains = tablesOf(root).flatMap((table) => {
    const partitions = partitionsOf(table);
    const frame = partitions.find(({ isExtended }) => isExtended);
    const logical = partitions.filter(({ index }) => index > 3).length;
    if (frame === undefined || logical === 0) return [];
    const range = { firstBlock: frame.range.firstBlock, blockCount: logical };
    return [plain('table', `logical partitions of ${fromByteString(table.title)}`, range, frame.section.place)];
  });
  const seen = new Set<number>(); // two tables may share a frame
  return [...heads, ...chains.filter(({ range }) => !seen.has(range.firstBlock) && seen.add(range.firstBlock))];
}

function partitionRegions(root: Section, fats: ReadonlySet<number>): Region[] {
  const regions: Region[] = [];
  const tableCount = tablesOf(root).length;
  for (const partition of tablesOf(root).flatMap(partitionsOf)) {
    if (partition.isExtended) continue;
    const { range, index, name, type, expands, section, table } = partition;
    const entry = { name: fromByteString(table.title), index };
    const same = regions.findIndex((region) => sameRange(region.range, range));
    const known = regions[same];
    if (known) {
      regions[same] = { ...known, tables: [...known.tables, entry], expands: known.expands || expands };
      continue;
    }
    regions.push({
      ...plain('partition', name ?? `partition ${index}`, range, section.place),
      tables: [entry],
      type,
      expands,
      isFat: fats.has(range.firstBlock),
    });
  }
  // Only what is in every table is known well enough by its number.
  return regions.map((region) => {
    const [first] = region.tables;
    const isPlain = region.name === `partition ${first?.index}`;
    return isPlain && region.tables.length < tableCount
      ? { ...region, name: `${region.name} of ${first?.name}` }
      : region;
  });
}

function environmentRegions(root: Section): Region[] {
  return root.all('uboot-environment').flatMap((environment) => {
    const name = fromByteString(environment.title);
    const count = environment.integer('block-count');
    const first = rangeOf(environment.text('block-offset'), count);
    const second = environment.has('block-offset-redund')
      ? rangeOf(environment.text('block-offset-redund'), count)
      : undefined;
    const region = (range: BlockRange | undefined, option: string, suffix: string): Region[] =>
      range === undefined
        ? []
        : [{ ...plain('uboot-environment', `${name}${suffix}`, range, environment.placeOf(option)), environment }];
    return [...region(first, 'block-offset', ''), ...region(second, 'block-offset-redund', ' (second copy)')];
  });
}

/** Where actions and requirements say that a FAT file system begins. */
function fatBlocks(tasks: readonly TaskModel[]): Set<number> {
  const blocks = tasks.flatMap(({ steps, task }) => [
    ...steps.flatMap(({ effects }) =>
      effects.flatMap((effect) => {
        if (effect.kind === 'file') return [effect.fatBlock];
        return effect.kind === 'format' ? [effect.range.firstBlock] : [];
      }),
    ),
    ...task.calls
      .filter(({ name }) => name.startsWith('require-fat-'))
      .map(({ args }) => parseBlockNumber(args[0] ?? '') ?? -1),
  ]);
  return new Set(blocks);
}

function formattedRegions(tasks: readonly TaskModel[]): Region[] {
  return tasks.flatMap(({ steps }) =>
    steps.flatMap(({ effects, call }) =>
      effects.flatMap((effect) =>
        effect.kind === 'format' ? [{ ...plain('file-system', 'FAT', effect.range, call.place), isFat: true }] : [],
      ),
    ),
  );
}

function rawRegions(tasks: readonly TaskModel[]): Region[] {
  return tasks.flatMap(({ steps }) =>
    steps.flatMap(({ effects, call, resource }) =>
      effects.flatMap((effect) => {
        if (effect.kind === 'data') {
          return [plain('raw', fromByteString(resource?.title ?? ''), effect.range, call.place)];
        }
        return effect.kind === 'fill' ? [plain('raw', 'filled', effect.range, call.place)] : [];
      }),
    ),
  );
}

function plain(kind: RegionKind, name: string, range: BlockRange, place: Place): Region {
  return { kind, name, range, place, tables: [], expands: false, isFat: false };
}
