import type { DatabaseSync } from 'node:sqlite';
import { createValueTable, type ValueTable } from '../state/value-table.ts';
import type { Grains } from './machine-grain.ts';

/** The report that was written to the log last. */
export interface Report {
  grains: Grains;
  digest: string;
  /** Whose number `seq` is, as hex. */
  instanceId: string;
  seq: number;
  /** It told what had changed, which only a coordinator that takes changes has understood. */
  isChange: boolean;
}

/** An agent of an earlier version keeps the digest alone; where both differ, it has reported since. */
const digestName = 'grains-sha256';
const reportName = 'grains-report';
const takesChangesName = 'grains-changes-taken';

/** What outlives the process of what was reported. */
export class ReportedGrains {
  readonly #values: ValueTable;

  constructor(database: DatabaseSync) {
    this.#values = createValueTable(database);
  }

  get digest(): string | undefined {
    return this.#values.get(digestName);
  }

  get last(): Report | undefined {
    const text = this.#values.get(reportName);
    const report = text === undefined ? undefined : (JSON.parse(text) as Report);
    return report?.digest === this.digest ? report : undefined;
  }

  put(report: Report): void {
    this.#values.set(digestName, report.digest);
    this.#values.set(reportName, JSON.stringify(report));
  }

  /** The coordinator of the last session takes changes. */
  get takesChanges(): boolean {
    return this.#values.get(takesChangesName) === 'yes';
  }

  set takesChanges(takes: boolean) {
    if (takes !== this.takesChanges) this.#values.set(takesChangesName, takes ? 'yes' : 'no');
  }
}
