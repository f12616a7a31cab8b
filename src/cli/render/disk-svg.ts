import type { DiskLayout, LayoutRegion, LayoutTask, LayoutWrite } from '../../firmware/index.ts';
import { formatBytes } from '../human.ts';
import { scaleDisk, type DiskScale } from './disk-scale.ts';
import { overlappingRegions, regionNote } from './region-note.ts';
import { slotNote } from './slot-note.ts';

const page = { width: 1200, margin: 32, laneName: 150 } as const;
const bar = { top: 84, height: 64 } as const;
const laneHeight = 30;
const rowHeight = 22;
/** Average of a sans-serif letter at 12 px: what fits is estimated, nothing can be measured here. */
const letterWidth = 6.8;

const color = {
  ink: '#1b2733',
  faint: '#6b7785',
  line: '#9aa7b4',
  free: '#f1f4f7',
  table: '#f3c969',
  'uboot-environment': '#f3c969',
  partition: '#d5dde6',
  'file-system': '#d5dde6',
  raw: '#e4d4ee',
  data: '#9fd3e6',
  wrong: '#d1242f',
} as const;

/** Slots take these in turn. */
const slotColors = ['#a8d8a0', '#8fc0ee', '#e9b6d4', '#f0c39a'] as const;

type Drawn = Exclude<LayoutWrite['effect'], 'outside'>;

const laneColors: Record<Drawn, string> = {
  data: '#2e7d32',
  file: '#558b2f',
  format: '#4f9bb0',
  fill: '#aab4bf',
  trim: '#cfd6dd',
  table: '#c98a00',
  environment: '#e0ac3a',
};
const laneOrder: readonly Drawn[] = ['trim', 'fill', 'format', 'environment', 'table', 'file', 'data'];
const laneWords: Record<Drawn, string> = {
  data: 'data',
  file: 'files',
  format: 'new FAT',
  fill: 'filled',
  trim: 'trimmed',
  table: 'partition table',
  environment: 'environment',
};

/** The same picture as in the terminal, as one SVG document without scripts or fonts of its own. */
export function diskSvg(layout: DiskLayout, title: string): string {
  const left = page.margin + page.laneName;
  const scale = scaleDisk(layout, { width: page.width - left - page.margin, minClaimed: 26, minFree: 12 });
  const lanes = layout.tasks.filter(({ writes }) => writes.some(({ places }) => places.length > 0));
  const lanesTop = bar.top + bar.height + 34;
  const legendTop = lanesTop + lanes.length * laneHeight + 22;
  const tableTop = legendTop + 44;
  const height = tableTop + (layout.regions.length + 1) * rowHeight + page.margin;
  const parts = [
    text(page.margin, 40, title, 'font-size="20" font-weight="600"'),
    text(page.margin, 62, subtitle(layout), `fill="${color.faint}"`),
    ...regionBoxes(layout, scale, left),
    ...ticks(layout, scale, left),
    ...lanes.flatMap((task, at) => lane(task, layout, scale, left, lanesTop + at * laneHeight)),
    ...legend(layout, left, legendTop),
    ...table(layout, tableTop),
  ];
  return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="${page.width}" height="${height}" viewBox="0 0 ${page.width} ${height}" font-family="Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif" font-size="12" fill="${color.ink}">
<title>${escape(title)}</title>
<defs><pattern id="wrong" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="8" height="8" fill="#ffd7d9"/><rect width="3" height="8" fill="${color.wrong}"/></pattern></defs>
<rect width="${page.width}" height="${height}" fill="#ffffff"/>
${parts.join('\n')}
</svg>
`;
}

function subtitle(layout: DiskLayout): string {
  const { endBlock, overlaps } = layout;
  return [
    `${endBlock} blocks of 512 bytes (${formatBytes(endBlock * 512)}), not drawn to scale`,
    slotNote(layout) ?? '',
    overlaps.length > 0 ? `${overlaps.length} overlap${overlaps.length === 1 ? '' : 's'}` : '',
  ]
    .filter((part) => part !== '')
    .join('  ·  ');
}

function regionBoxes(layout: DiskLayout, scale: DiskScale, left: number): string[] {
  return scale.pieces.flatMap((piece, at) => {
    const x = left + piece.start;
    const [id] = piece.regions;
    const region = layout.regions.find((candidate) => candidate.id === id);
    const fill = piece.regions.length > 1 ? 'url(#wrong)' : region ? colorOf(region, layout) : color.free;
    const box = `<rect x="${x}" y="${bar.top}" width="${piece.width}" height="${bar.height}" fill="${fill}" stroke="${piece.regions.length > 1 ? color.wrong : color.line}"/>`;
    const isFirst = !scale.pieces.slice(0, at).some(({ regions }) => regions.length === 1 && regions[0] === id);
    if (region === undefined || piece.regions.length > 1 || !isFirst) return [box];
    const middle = x + piece.width / 2;
    const slot = region.slots?.map((name) => `slot ${name}`).join(', ') ?? (region.holdsData ? 'data' : '');
    const lines = [String(region.id), region.name, slot].filter((line) => line !== '');
    const fitting = lines.filter((line, index) => index === 0 || line.length * letterWidth < piece.width - 4);
    const top = bar.top + bar.height / 2 - (fitting.length - 1) * 8 + 4;
    return [
      box,
      ...fitting.map((line, index) =>
        text(middle, top + index * 16, line, `text-anchor="middle"${index === 0 ? ' font-weight="600"' : ''}`),
      ),
    ];
  });
}

function colorOf(region: LayoutRegion, { slots }: DiskLayout): string {
  if (region.holdsData) return color.data;
  const slot = slots.findIndex(({ name }) => name === region.slots?.[0]);
  return slot >= 0 ? slotColors[slot % slotColors.length]! : color[region.kind];
}

/** Offsets below the borders, as far as they do not run into each other. */
function ticks({ endBlock }: DiskLayout, scale: DiskScale, left: number): string[] {
  const borders = [...scale.pieces.map(({ firstBlock, start }) => [firstBlock, start] as const), [endBlock, scale.width] as const]; // prettier-ignore
  let free = Number.NEGATIVE_INFINITY;
  return borders.flatMap(([block, position]) => {
    const x = left + position;
    const line = `<line x1="${x}" y1="${bar.top + bar.height}" x2="${x}" y2="${bar.top + bar.height + 5}" stroke="${color.line}"/>`;
    const label = formatBytes(block * 512);
    const half = (label.length * letterWidth) / 2;
    if (x - half < free) return [line];
    free = x + half + 8;
    return [line, text(x, bar.top + bar.height + 18, label, `text-anchor="middle" font-size="11" fill="${color.faint}"`)]; // prettier-ignore
  });
}

function lane(task: LayoutTask, layout: DiskLayout, scale: DiskScale, left: number, top: number): string[] {
  const boxes = laneOrder.flatMap((effect) =>
    task.writes
      .filter((write) => write.effect === effect)
      .flatMap((write) =>
        write.places.map((place) => {
          const home = layout.regions.find(({ id }) => id === place.region);
          const isOpen = place.blockCount === undefined; // then as far as its region goes, dashed
          const end = isOpen && home?.blockCount !== undefined ? home.firstBlock + home.blockCount : place.firstBlock + (place.blockCount ?? 1); // prettier-ignore
          const start = scale.at(place.firstBlock);
          const width = Math.max(4, scale.at(end) - start);
          const look = isOpen ? `fill="none" stroke="${laneColors[effect]}" stroke-dasharray="4 3"` : `fill="${laneColors[effect]}"`; // prettier-ignore
          return `<rect x="${round(left + start)}" y="${top + 5}" width="${round(width)}" height="${laneHeight - 12}" rx="2" ${look}><title>${escape(write.action)}</title></rect>`;
        }),
      ),
  );
  const wrong = layout.overlaps
    .filter((overlap) => overlap.task === task.name)
    .map(({ firstBlock, blockCount, first, second }) => {
      const start = scale.at(firstBlock);
      const width = Math.max(6, scale.at(firstBlock + blockCount) - start);
      return `<rect x="${round(left + start)}" y="${top + 3}" width="${round(width)}" height="${laneHeight - 8}" fill="url(#wrong)" stroke="${color.wrong}"><title>${escape(`${first} and ${second}`)}</title></rect>`;
    });
  const name = task.name.length > 20 ? `${task.name.slice(0, 19)}…` : task.name;
  return [
    text(page.margin, top + 18, name, ''),
    `<line x1="${left}" y1="${top + laneHeight - 4}" x2="${left + scale.width}" y2="${top + laneHeight - 4}" stroke="#e3e8ed"/>`,
    ...boxes,
    ...wrong,
  ];
}

function legend({ tasks, overlaps }: DiskLayout, left: number, top: number): string[] {
  const used = new Set(tasks.flatMap(({ writes }) => writes.filter(({ places }) => places.length > 0).map(({ effect }) => effect))); // prettier-ignore
  const entries = laneOrder.filter((effect) => used.has(effect)).map((effect) => [laneColors[effect], laneWords[effect]] as const); // prettier-ignore
  const all: (readonly [string, string])[] =
    overlaps.length > 0 ? [...entries, ['url(#wrong)', 'overlap']] : [...entries];
  const isOpen = tasks.some(({ writes }) => writes.some(({ places }) => places.some(({ blockCount }) => blockCount === undefined))); // prettier-ignore
  if (isOpen) all.push(['none', 'size not known']);
  let x = left;
  return all.map(([fill, word]) => {
    const dash = fill === 'none' ? ` stroke="${laneColors.data}" stroke-dasharray="4 3"` : '';
    const part = `<rect x="${x}" y="${top - 10}" width="14" height="12" rx="2" fill="${fill}"${dash}/>${text(x + 20, top, word, '')}`;
    x += 20 + word.length * letterWidth + 24;
    x = Math.round(x);
    return part;
  });
}

function table(layout: DiskLayout, top: number): string[] {
  const overlapping = overlappingRegions(layout);
  const columns = [
    { x: page.margin + 24, anchor: 'end', title: '#' },
    { x: page.margin + 130, anchor: 'end', title: 'first block' },
    { x: page.margin + 230, anchor: 'end', title: 'blocks' },
    { x: page.margin + 330, anchor: 'end', title: 'offset' },
    { x: page.margin + 430, anchor: 'end', title: 'size' },
    { x: page.margin + 460, anchor: 'start', title: 'what' },
    { x: page.margin + 740, anchor: 'start', title: 'note' },
  ];
  const row = (values: readonly string[], y: number, look: string): string =>
    values.map((value, at) => text(columns[at]!.x, y, value, `text-anchor="${columns[at]!.anchor}" ${look}`)).join('');
  return [
    row(columns.map(({ title }) => title), top, `fill="${color.faint}"`), // prettier-ignore
    ...layout.regions.map((region, at) =>
      row(
        [
          String(region.id),
          String(region.firstBlock),
          region.blockCount === undefined ? '-' : String(region.blockCount),
          formatBytes(region.firstBlock * 512),
          region.blockCount === undefined ? '-' : formatBytes(region.blockCount * 512),
          region.name,
          regionNote(region, overlapping),
        ],
        top + (at + 1) * rowHeight,
        overlapping.has(region.id) ? `fill="${color.wrong}"` : '',
      ),
    ),
  ];
}

function text(x: number, y: number, content: string, look: string): string {
  return `<text x="${round(x)}" y="${round(y)}" ${look}>${escape(content)}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Names come from files of others: no markup, and no character that XML forbids. */
function escape(content: string): string {
  return content
    .replace(/(?![\t\n\r])\p{Cc}|\p{Cs}|[\ufffe\uffff]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
