import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../clock.ts';
import { DoorError, maxRequestTypes } from '../../door/index.ts';
import { jsonRow, type DeviceLog } from '../../eventlog/index.ts';
import type { AcceptsEvent } from '../../protocol/event.ts';
import { Lane } from '../../protocol/lane.ts';
import { requestVersions } from '../../protocol/request.ts';
import { createValueTable, type ValueTable } from '../state/value-table.ts';

export interface AnnouncementOption {
  database: DatabaseSync;
  log: Pick<DeviceLog, 'append' | 'transact' | 'requestCursor'>;
  clock: Clock;
  agentVersion: string;
  /** An event is in the log. */
  onAppend(): void;
}

const typesName = 'product-request-types';
const announcedName = 'accepts-announced';

/**
 * Tells the coordinator which requests this device takes (`flotilla.accepts`): those of the agent, and those that
 * programs have declared. Types of the product stay until they are withdrawn, so that a program that restarts does not
 * make them flicker.
 */
export class Announcement {
  readonly #option: AnnouncementOption;
  readonly #values: ValueTable;

  constructor(option: AnnouncementOption) {
    this.#option = option;
    this.#values = createValueTable(option.database);
  }

  /** Of the product, in order. */
  types(): string[] {
    return JSON.parse(this.#values.get(typesName) ?? '[]') as string[];
  }

  add(types: readonly string[]): string[] {
    return this.#set(new Set([...this.types(), ...types]));
  }

  remove(types: readonly string[]): string[] {
    return this.#set(new Set(this.types().filter((type) => !types.includes(type))));
  }

  /** Unless this very set, of this version, was told to this coordinator before; `always`: even then. */
  announce({ always = false } = {}): void {
    const { log, clock, agentVersion, onAppend } = this.#option;
    const own = Object.entries(requestVersions);
    const products = this.types().map((type) => [`product.request:${type}`, 1] as const);
    const value: AcceptsEvent = { agentVersion, accepts: Object.fromEntries([...own, ...products]) };
    const coordinator = log.requestCursor().coordinatorInstanceId.toString(16);
    const before = JSON.parse(this.#values.get(announcedName) ?? '{}') as {
      value?: AcceptsEvent;
      coordinator?: string;
    };
    const same = JSON.stringify(before.value) === JSON.stringify(value);
    if (!always && same && before.coordinator === coordinator) return;
    log.transact(() => {
      this.#values.set(announcedName, JSON.stringify({ value, coordinator }));
      // Told before any coordinator was met: it still waits in the log for the first one.
      if (!always && same && before.coordinator === '0') return;
      log.append(Lane.control, jsonRow({ type: 'flotilla.accepts', timestampMs: clock.nowMs(), value }));
      onAppend();
    });
  }

  #set(types: ReadonlySet<string>): string[] {
    if (types.size > maxRequestTypes) {
      throw new DoorError('refused', 'request-types-too-many', 'too many types of requests on this device', {
        seen: `${types.size}`,
        expected: `at most ${maxRequestTypes}`,
        suggestion: 'requests.withdraw what no program takes any more',
      });
    }
    const sorted = [...types].toSorted();
    this.#option.log.transact(() => {
      this.#values.set(typesName, JSON.stringify(sorted));
      this.announce();
    });
    return sorted;
  }
}
