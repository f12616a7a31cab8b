import type { FirmwareSource } from '../archive/firmware-source.ts';
import type { Place } from '../config/source-text.ts';
import type { DiskModel } from '../layout/disk-model.ts';
import type { TaskModel } from '../layout/task-model.ts';

/** `error`: a device is lost, or the bundle can't be applied. `warning`: it takes bad luck. `advice`: could be better. */
export const severities = ['error', 'warning', 'advice'] as const;
export type Severity = (typeof severities)[number];

export interface LintContext {
  readonly source: FirmwareSource;
  readonly model: DiskModel;
  /** The smallest disk that devices have, if the caller says so. */
  readonly diskBlocks: number | undefined;
}

/** One place where a rule is broken. */
export interface Violation {
  readonly place: Place;
  readonly task?: TaskModel;
  /** What stands there, in words. */
  readonly seen: string;
}

export interface Rule {
  /** Stable: scripts and the guide name it. */
  readonly code: string;
  readonly severity: Severity;
  /** What happens to a device. */
  readonly why: string;
  /** What to do about it. */
  readonly mend: string;
  readonly check: (context: LintContext) => Iterable<Violation>;
}
