import { fromByteString } from '../config/source-text.ts';
import { FlotillaError, type Position } from '../../error.ts';
import { positionIn, readFirmwareSource, type FirmwareSource, type SourceOption } from '../archive/firmware-source.ts';
import { diskModel, type DiskModel } from '../layout/disk-model.ts';
import type { Region } from '../layout/region.ts';
import { metadataRules } from './metadata-rule.ts';
import { orderRules } from './order-rule.ts';
import { overlapRules } from './overlap-rule.ts';
import { resourceRules } from './resource-rule.ts';
import type { Rule, Severity } from './rule.ts';
import { slotRules } from './slot-rule.ts';
import { taskRules } from './task-rule.ts';

/** What lint has to say about one place. */
export interface LintFinding {
  /** Stable; the guide lists them. */
  code: string;
  severity: Severity;
  position: Position;
  task?: string;
  seen: string;
  why: string;
  mend: string;
}

export interface LintOption extends SourceOption {
  /** Blocks of the smallest disk that devices have. */
  diskBlocks?: number;
  /** Where devices keep what no upgrade may touch: names of partitions, or `BLOCK:COUNT`; besides what is seen by itself. */
  data?: readonly string[];
}

/** All rules that read a configuration which parses. */
export const rules: readonly Rule[] = [
  ...overlapRules,
  ...orderRules,
  ...slotRules,
  ...taskRules,
  ...resourceRules,
  ...metadataRules,
];

/** Found before a rule is asked. */
export const parseRules = {
  'does-not-parse': { severity: 'error', why: 'nothing can be built from it, and nothing applied' },
  'section-not-closed': { severity: 'warning', why: 'what follows may belong where it does not stand' },
} as const;

/** Findings of one bundle or configuration, in the order of its text. A file that can't be read is thrown. */
export async function lintFirmware(path: string, option: LintOption = {}): Promise<LintFinding[]> {
  let source: FirmwareSource;
  try {
    source = await readFirmwareSource(path, option);
  } catch (error) {
    return [parseFinding(path, error)];
  }
  return lintSource(source, option);
}

export function lintSource(source: FirmwareSource, { diskBlocks, data = [] }: LintOption = {}): LintFinding[] {
  const model = withData(diskModel(source.root, source.sizes), data);
  const findings: LintFinding[] = rules.flatMap(({ code, severity, why, mend, check }) =>
    [...check({ source, model, diskBlocks })].map(({ place, task, seen }) => ({
      code,
      severity,
      position: positionIn(source, place),
      ...(task === undefined ? {} : { task: fromByteString(task.task.title) }),
      seen,
      why,
      mend,
    })),
  );
  for (const { message, position } of source.warnings) {
    findings.push({ code: 'section-not-closed', ...parseRules['section-not-closed'], position, seen: message, mend: 'add the missing }' }); // prettier-ignore
  }
  return findings.sort((a, b) => byPosition(a.position, b.position));
}

/** The places that are named besides what the model takes for data by itself. */
function withData(model: DiskModel, names: readonly string[]): DiskModel {
  const more = names.map((name) => {
    const range = /^(\d{1,12}):(\d{1,12})$/.exec(name);
    if (range) return dataRegion(Number(range[1]), Number(range[2]), model.root);
    const region = model.regions.find((each) => each.kind === 'partition' && isCalled(each, name));
    if (region) return region;
    const partitions = model.regions.filter(({ kind }) => kind === 'partition').map((each) => each.name);
    throw new FlotillaError('usage', 'lint-data-unknown', 'there is no such partition to keep', {
      seen: name,
      expected: `one of ${partitions.join(', ') || '(there are none)'}, or BLOCK:COUNT`,
    });
  });
  return { ...model, dataPartitions: [...new Set([...model.dataPartitions, ...more])] };
}

/** By its name in a GPT, or by its number (`3`, where every table has it alike). */
function isCalled({ name, tables }: Region, wanted: string): boolean {
  return name === wanted || tables.every(({ index }) => String(index) === wanted);
}

function dataRegion(firstBlock: number, blockCount: number, root: DiskModel['root']): Region {
  const name = `${firstBlock}:${blockCount}`;
  const range = { firstBlock, blockCount };
  return { kind: 'partition', name, range, place: root.place, tables: [], expands: false, isFat: false };
}

/** A text that is wrong is a finding like others; a file that is not there is the caller's to mend. */
function parseFinding(path: string, error: unknown): LintFinding {
  const told = error instanceof FlotillaError && /^firmware-(?:config|malformed|metadata-damaged|unsupported)$/.test(error.code); // prettier-ignore
  if (!told) throw error;
  const { position, expected, suggestion } = error.detail;
  return {
    code: 'does-not-parse',
    ...parseRules['does-not-parse'],
    position: position ?? { file: path, line: 1, column: 1 },
    seen: error.message,
    mend: expected === undefined ? (suggestion ?? 'see docs/guide/firmware.md') : `expected: ${expected}`,
  };
}

function byPosition(a: Position, b: Position): number {
  const [first, second] = [a.file ?? '', b.file ?? ''];
  if (first !== second) return first < second ? -1 : 1;
  return a.line - b.line || a.column - b.column;
}
