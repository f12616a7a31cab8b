import { Flags } from '@oclif/core';
import type {
  SelectCompletion,
  SelectCount,
  SelectExplanation,
  SelectMatch,
  SelectRequest,
  SelectValues,
  ValuesRequest,
} from '../../client/contract/index.ts';
import {
  completeSelector,
  distributionOf,
  explainSelector,
  parsePlace,
  parseSelector,
  selectIds,
  type Selector,
} from '../../selector/index.ts';
import type { TargetFlags } from '../find-endpoint.ts';
import { openClient } from '../open-client.ts';
import { readFleetFile, type FleetFile } from './read-fleet-file.ts';

/** Who answers `flotilla select`: a coordinator, or a file. */
export interface SelectSource {
  match(request: SelectRequest): Promise<SelectMatch>;
  count(request: SelectRequest): Promise<SelectCount>;
  explain(request: SelectRequest): Promise<SelectExplanation>;
  values(request: ValuesRequest): Promise<SelectValues>;
  complete(text: string, signal?: AbortSignal): Promise<SelectCompletion>;
}

export const fleetFlag = Flags.string({
  description: 'ask an inventory file, JSON or NDJSON, and no coordinator; - is standard input',
  helpValue: 'FILE',
  exclusive: ['fleet-dir', 'context'],
});

export async function openSelectSource(flags: TargetFlags & { fleet?: string | undefined }): Promise<SelectSource> {
  if (flags.fleet === undefined) return openClient(flags);
  return new FileSource(await readFleetFile(flags.fleet), Date.now());
}

const defaultValues = 20;

/** The same language on the devices of a file. */
export class FileSource implements SelectSource {
  readonly #fleet: FleetFile;
  readonly #nowMs: number;

  constructor(fleet: FleetFile, nowMs: number) {
    this.#fleet = fleet;
    this.#nowMs = nowMs;
  }

  async match({ selector }: SelectRequest): Promise<SelectMatch> {
    const ids = this.#ids(selector);
    return { selector, count: ids.length, ids };
  }

  async count({ selector }: SelectRequest): Promise<SelectCount> {
    return { selector, count: this.#ids(selector).length };
  }

  async explain({ selector, deviceId }: SelectRequest): Promise<SelectExplanation> {
    return explainSelector(this.#parse(selector), this.#fleet.devices, this.#nowMs, deviceId);
  }

  async values({ place, selector, limit = defaultValues }: ValuesRequest): Promise<SelectValues> {
    const { devices } = this.#fleet;
    const wanted = selector === undefined ? undefined : new Set(this.#ids(selector));
    const fleet = wanted === undefined ? devices : devices.filter(({ id }) => wanted.has(id));
    return { place, ...distributionOf(fleet, parsePlace(place), limit) };
  }

  async complete(text: string): Promise<SelectCompletion> {
    const { devices, groups } = this.#fleet;
    const fleet = { targets: () => devices, ids: () => devices.map(({ id }) => id).toSorted(), groups };
    return { candidates: completeSelector(text, fleet) };
  }

  #ids(selector: string): string[] {
    return selectIds(this.#parse(selector), this.#fleet.devices, this.#nowMs);
  }

  #parse(selector: string): Selector {
    return parseSelector(selector, this.#fleet.groups);
  }
}
