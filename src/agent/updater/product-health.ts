import type { DatabaseSync } from 'node:sqlite';
import type { BootTime } from '../machine/boot-time.ts';
import { createValueTable, type ValueTable } from '../state/value-table.ts';

/** What the product says of itself. */
export interface HealthVerdict {
  ok: boolean;
  reason?: string;
}

const valueName = 'product-health';

/** The product's last word on its own health. Of this boot alone: what ran before it says nothing about what runs now. */
export class ProductHealth {
  readonly #values: ValueTable;
  readonly #machine: Pick<BootTime, 'bootId'>;
  readonly #listeners = new Set<() => void>();

  constructor({ database, machine }: { database: DatabaseSync; machine: Pick<BootTime, 'bootId'> }) {
    this.#values = createValueTable(database);
    this.#machine = machine;
  }

  report(verdict: HealthVerdict): void {
    const { verdict: last } = this;
    if (last?.ok === verdict.ok && last.reason === verdict.reason) return; // no write for what is known
    this.#values.set(valueName, JSON.stringify({ ...verdict, bootId: this.#machine.bootId() }));
    for (const listener of this.#listeners) listener();
  }

  get verdict(): HealthVerdict | undefined {
    const text = this.#values.get(valueName);
    if (text === undefined) return undefined;
    const { bootId, ...verdict } = JSON.parse(text) as HealthVerdict & { bootId: string };
    return bootId === this.#machine.bootId() ? verdict : undefined;
  }

  /** Calls back at each word; returns the unsubscribe function. */
  onReport(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
