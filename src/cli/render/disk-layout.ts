import type { DiskLayout, LayoutRegion, LayoutTask, LayoutWrite } from '../../firmware/index.ts';
import { formatBytes, plural } from '../human.ts';
import { paint, type Style } from '../paint.ts';
import { displayWidth, printable, truncate } from '../printable.ts';
import { formatTable, type TableOption } from '../table.ts';
import { wrap, wrapItems } from '../wrap.ts';
import { scaleDisk, type DiskScale } from './disk-scale.ts';
import { overlappingRegions, regionNote } from './region-note.ts';
import { slotNote } from './slot-note.ts';

const defaultWidth = 100;
const minBarWidth = 24;
const maxNameWidth = 18;

/** What each effect looks like in a lane; the later in this list wins where two meet. */
const glyphs: readonly (readonly [LayoutWrite['effect'], string, Style, string])[] = [
  ['trim', '░', 'dim', 'trimmed'],
  ['fill', '░', 'dim', 'filled'],
  ['format', '▒', 'cyan', 'new FAT'],
  ['environment', '◆', 'yellow', 'environment'],
  ['table', '◆', 'yellow', 'partition table'],
  ['file', '▓', 'green', 'files'],
  ['data', '█', 'green', 'data'],
];

/** The disk as a bar with a lane for each task, then every region, then what each task does. */
export function formatDiskLayout(layout: DiskLayout, option: TableOption = {}): string {
  if (layout.regions.length === 0 && layout.tasks.length === 0) return 'nothing on the disk\n';
  const regions = layout.regions.length === 0 ? [] : [formatRegions(layout, option)];
  return [formatDrawing(layout, option), ...regions, ...formatTasks(layout, option)].join('\n');
}

// ---- the drawing

function formatDrawing(layout: DiskLayout, { width = defaultWidth, color = false }: TableOption): string {
  if (layout.regions.length === 0) return 'nothing has a place on the disk\n';
  const lanes = layout.tasks.filter(({ writes }) => writes.some(({ places }) => places.length > 0));
  const names = lanes.map(({ name }) => truncate(printable(name), maxNameWidth));
  const indent = Math.max(4, ...names.map(displayWidth)) + 1;
  // A piece is a border and two digits at least; a gap a border and a dot.
  const scale = scaleDisk(layout, { width: Math.max(minBarWidth, width - indent - 1), minClaimed: 3, minFree: 2 });
  const pad = ' '.repeat(indent);
  const slots = slotNote(layout);
  const lines = [
    pad + border(scale, '┌', '┬', '┐'),
    pad + labels(scale, layout, color),
    pad + border(scale, '└', '┴', '┘'),
    ...regionMarks(scale, layout, pad, color),
    ...lanes.map(
      (task, index) => names[index]! + pad.slice(displayWidth(names[index]!)) + lane(task, scale, layout, color),
    ),
    pad + offsets(scale, layout, color),
    ...legend(layout, width, color),
    ...(slots === undefined ? [] : wrap(printable(slots), width)),
  ];
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}

function border({ pieces }: DiskScale, left: string, middle: string, right: string): string {
  const parts = pieces.map(({ width }, index) => (index === 0 ? left : middle).slice(0, width) + '─'.repeat(Math.max(0, width - 1))); // prettier-ignore
  return `${parts.join('')}${right}`;
}

function labels({ pieces }: DiskScale, { regions }: DiskLayout, color: boolean): string {
  const shownNames = new Set<number>();
  const parts = pieces.map((piece) => {
    const inside = Math.max(0, piece.width - 1);
    if (piece.width === 0) return '';
    if (piece.regions.length === 0) return `│${paint('dim', '·'.repeat(inside), color)}`;
    if (piece.regions.length > 1) return `│${paint('red', '✗'.repeat(inside), color)}`;
    const region = regions.find(({ id }) => id === piece.regions[0])!;
    const text = shownNames.has(region.id) ? '' : labelOf(region, inside);
    shownNames.add(region.id);
    const left = Math.floor((inside - displayWidth(text)) / 2);
    const padded = ' '.repeat(left) + text + ' '.repeat(inside - left - displayWidth(text));
    return `│${paint(styleOf(region), padded, color)}`;
  });
  return `${parts.join('')}│`;
}

function labelOf(region: LayoutRegion, room: number): string {
  const name = printable(region.name);
  const slot = region.slots?.map((each) => `slot ${printable(each)}`).join(' ');
  const choices = [slot && `${region.id} ${name}, ${slot}`, slot && `${region.id} ${slot}`, `${region.id} ${name}`, String(region.id)]; // prettier-ignore
  return choices.find((text) => text !== undefined && displayWidth(text) <= room) ?? '';
}

function styleOf({ kind, slots, holdsData }: LayoutRegion): Style | undefined {
  if (holdsData) return 'cyan';
  if (slots) return 'green';
  return kind === 'partition' ? undefined : 'yellow';
}

/** A line below the bar where regions overlap. */
function regionMarks({ pieces }: DiskScale, _layout: DiskLayout, pad: string, color: boolean): string[] {
  if (!pieces.some(({ regions }) => regions.length > 1)) return [];
  const marks = pieces.map(({ regions, width }) => (regions.length > 1 ? '✗' : ' ').repeat(width)).join('');
  return [pad + paint('red', `${marks.trimEnd()} overlap`, color)];
}

function lane(task: LayoutTask, scale: DiskScale, { overlaps, regions }: DiskLayout, color: boolean): string {
  const cells: { glyph: string; style: Style | undefined }[] = Array.from({ length: scale.width }, () => ({
    glyph: ' ',
    style: undefined,
  }));
  // Of data whose length is not known only the start is sure.
  const homes = new Map(regions.map((region) => [region.id, region]));
  const fill = (firstBlock: number, blockCount: number, glyph: string, style: Style): void => {
    const start = Math.min(scale.width - 1, Math.floor(scale.at(firstBlock)));
    const end = Math.max(start + 1, Math.floor(scale.at(firstBlock + blockCount)));
    // A border's column is left free, so that neighbours stay apart.
    const from = scale.pieces.some((piece) => piece.start === start && piece.width > 1) ? start + 1 : start;
    for (let at = from; at < Math.max(end, from + 1) && at < cells.length; at++) cells[at] = { glyph, style };
  };
  for (const [effect, glyph, style] of glyphs) {
    for (const write of task.writes.filter((each) => each.effect === effect)) {
      for (const { firstBlock, blockCount, region } of write.places) {
        const home = homes.get(region ?? 0);
        if (blockCount === undefined && home?.blockCount !== undefined) {
          fill(firstBlock, home.firstBlock + home.blockCount - firstBlock, '╌', style);
        }
        fill(firstBlock, blockCount ?? 1, glyph, style);
      }
    }
  }
  for (const overlap of overlaps) {
    if (overlap.task === task.name) fill(overlap.firstBlock, overlap.blockCount, '✗', 'red');
  }
  const runs: { text: string; style: Style | undefined }[] = [];
  for (const { glyph, style } of cells) {
    const last = runs.at(-1);
    if (last && last.style === style) last.text += glyph;
    else runs.push({ text: glyph, style });
  }
  return runs.map(({ text, style }) => paint(style, text, color)).join('');
}

/** The offset of every border for which there is room; the disk's end, which counts most, at the right edge. */
function offsets({ pieces, width }: DiskScale, { endBlock }: DiskLayout, color: boolean): string {
  const end = formatBytes(endBlock * 512);
  const endAt = width + 1 - end.length;
  let line = '';
  for (const { firstBlock, start } of pieces) {
    const text = formatBytes(firstBlock * 512);
    if ((line !== '' && line.length + 2 > start) || start + text.length + 2 > endAt) continue;
    line = line.padEnd(start) + text;
  }
  return paint('dim', line.padEnd(endAt) + end, color);
}

/** What the glyphs mean that were used, in as many lines as it takes. */
function legend({ tasks, overlaps }: DiskLayout, width: number, color: boolean): string[] {
  const writes = tasks.flatMap((task) => task.writes.filter(({ places }) => places.length > 0));
  const entries = glyphs
    .filter(([effect]) => writes.some((write) => write.effect === effect))
    .map(([, glyph, style, word]) => ({ glyph, style, word }));
  if (writes.some(({ places }) => places.some(({ blockCount }) => blockCount === undefined))) {
    entries.push({ glyph: '╌', style: 'green', word: 'size not known' });
  }
  if (overlaps.length > 0) entries.push({ glyph: '✗', style: 'red', word: 'overlap' });
  const lines: string[] = [];
  let plainWidth = Number.POSITIVE_INFINITY;
  for (const { glyph, style, word } of entries) {
    const entry = `${paint(style, glyph, color)} ${word}`;
    if (plainWidth + 3 + word.length + 2 > width) {
      lines.push(entry);
      plainWidth = word.length + 2;
    } else {
      lines.push(`${lines.pop()!}   ${entry}`);
      plainWidth += 3 + word.length + 2;
    }
  }
  return [...lines, paint('dim', 'order and borders are true, lengths are not', color)];
}

// ---- the table

interface Row {
  region?: LayoutRegion;
  firstBlock: number;
  blockCount: number | undefined;
}

function formatRegions(layout: DiskLayout, option: TableOption): string {
  const rows: Row[] = [];
  let reached = 0;
  for (const region of layout.regions) {
    if (region.firstBlock > reached) rows.push({ firstBlock: reached, blockCount: region.firstBlock - reached });
    rows.push({ region, firstBlock: region.firstBlock, blockCount: region.blockCount });
    reached = Math.max(reached, region.firstBlock + (region.blockCount ?? 1));
  }
  const overlapping = overlappingRegions(layout);
  return formatTable(
    rows,
    [
      { title: '#', value: ({ region }) => region?.id ?? '', align: 'right' },
      { title: 'BLOCK', value: ({ firstBlock }) => firstBlock, align: 'right' },
      { title: 'BLOCKS', value: ({ blockCount }) => blockCount, align: 'right' },
      { title: 'OFFSET', value: ({ firstBlock }) => formatBytes(firstBlock * 512), align: 'right' },
      { title: 'SIZE', value: ({ blockCount }) => (blockCount === undefined ? undefined : formatBytes(blockCount * 512)), align: 'right' }, // prettier-ignore
      { title: 'WHAT', value: ({ region }) => region?.name ?? 'free', shrink: true, style: ({ region }) => (region ? styleOf(region) : 'dim') }, // prettier-ignore
      {
        title: 'NOTE',
        value: ({ region }) => (region === undefined ? '' : regionNote(region, overlapping)),
        shrink: true,
        style: ({ region }) => (region && overlapping.has(region.id) ? 'red' : undefined),
      },
    ],
    option,
  );
}

// ---- the tasks

function formatTasks(layout: DiskLayout, option: TableOption): string[] {
  return layout.tasks.map((task) => formatTask(task, layout, option));
}

function formatTask(task: LayoutTask, { overlaps }: DiskLayout, { width, color = false }: TableOption): string {
  const said = [
    task.writesSlot === undefined ? undefined : `writes slot ${task.writesSlot}`,
    task.runsFrom === undefined ? undefined : `for devices that run slot ${task.runsFrom}`,
    task.kind === 'refusal' ? 'refuses' : undefined,
  ].filter((text) => text !== undefined);
  const head = `task ${paint('bold', printable(task.name), color)}${said.length > 0 ? `: ${said.join(', ')}` : ''}`;
  const groups = new Map<string, string[]>();
  if (task.requirements.length > 0) groups.set('requires', task.requirements);
  for (const write of task.writes) {
    const group = write.resource ?? write.event;
    groups.set(group, [...(groups.get(group) ?? []), describeWrite(write)]);
  }
  const indent = Math.max(0, ...[...groups.keys()].map((name) => displayWidth(printable(name)))) + 4;
  const lines = [...groups].flatMap(([name, texts]) =>
    wrapItems(
      texts.map((text) => printable(text)),
      (width ?? defaultWidth) - indent,
    ).map((line, index) => `  ${(index === 0 ? printable(name) : '').padEnd(indent - 2)}${line}`),
  );
  const wrong = overlaps.filter((overlap) => overlap.task === task.name).map(({ first, second, firstBlock, blockCount }) => paint('red', `  ✗ ${printable(first)} and ${printable(second)} overlap in ${plural(blockCount, 'block')} from ${firstBlock}`, color)); // prettier-ignore
  return `${[head, ...lines, ...wrong].join('\n')}\n`;
}

function describeWrite({ action, places, effect }: LayoutWrite): string {
  if (effect !== 'data') return action;
  const [place] = places;
  if (place?.region === undefined) return action;
  const size = place.blockCount === undefined ? ', size not known' : `, ${formatBytes(place.blockCount * 512)}`;
  return `${action} → ${place.region}${size}`;
}
