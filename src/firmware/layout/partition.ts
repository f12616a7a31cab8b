import { parseBlockNumber } from '../config/call-spec.ts';
import { unsetBlockCount } from '../config/schema.ts';
import type { Section } from '../config/section.ts';
import { fromByteString } from '../config/source-text.ts';
import { rangeOf, type BlockRange } from './block-range.ts';

/** A partition as a table says it. Tolerant: what makes a table unusable is for whoever builds it to refuse. */
export interface TablePartition {
  readonly table: Section;
  readonly section: Section;
  readonly index: number;
  /** With blockCount as given: what grows is at least so large. */
  readonly range: BlockRange;
  readonly expands: boolean;
  /** The name in a GPT. */
  readonly name?: string;
  /** `0x83`, or the UUID in a GPT. */
  readonly type: string;
  /** The frame around logical partitions, not a place of its own. */
  readonly isExtended: boolean;
}

export function tablesOf(root: Section): readonly Section[] {
  return [...root.all('mbr'), ...root.all('gpt')];
}

export function partitionsOf(table: Section): TablePartition[] {
  return table.all('partition').flatMap((section) => {
    const count = section.integer('block-count');
    const range = rangeOf(section.text('block-offset'), count === unsetBlockCount ? undefined : count);
    const index = parseBlockNumber(section.title);
    if (range === undefined || index === undefined) return [];
    const name = fromByteString(section.text('name') ?? '');
    const typeNumber = section.integer('type') ?? -1;
    if (table.kind === 'mbr' && typeNumber === 0) return []; // an unused entry, whatever numbers it holds
    const isExtended = table.kind === 'mbr' && index === 3 && (typeNumber === 0x05 || typeNumber === 0x0f);
    return [
      {
        table,
        section,
        index,
        range,
        expands: section.flag('expand') || isExtended,
        ...(name === '' ? {} : { name }),
        type: table.kind === 'mbr' ? `0x${typeNumber.toString(16).padStart(2, '0')}` : (section.text('type') ?? ''),
        isExtended,
      },
    ];
  });
}

/** Blocks that a table itself takes at the start of the disk. */
export function tableRange(table: Section): BlockRange {
  return { firstBlock: 0, blockCount: table.kind === 'gpt' ? 34 : 1 };
}
