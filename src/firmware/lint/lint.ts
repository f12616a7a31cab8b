import { fromByteString } from '../config/source-text.ts';
import { FlotillaError, type Position } from '../../error.ts';
import { positionIn, readFirmwareSource, type FirmwareSource, type SourceOption } from '../archive/firmware-source.ts';
import { diskModel } from '../layout/disk-model.ts';
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
  return lintSource(source, option.diskBlocks);
}

export function lintSource(source: FirmwareSource, diskBlocks?: number): LintFinding[] {
  const model = diskModel(source.root, source.sizes);
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
