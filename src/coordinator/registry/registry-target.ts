import type { FactRecord, Target } from '../../selector/index.ts';
import type { DeviceRow } from '../../store/row.ts';
import { coordinatorGrain, deviceFacts } from './device-fact.ts';

/** A device as selectors see it: what it reports, with what the coordinator knows of it. A million of them are kept. */
export class RegistryTarget implements Target {
  readonly device: DeviceRow;
  readonly isConnected: boolean;
  readonly #facts: FactRecord;

  /** @param before the same device a change ago: facts that have not changed stay the same object */
  constructor(device: DeviceRow, isConnected: boolean, before?: RegistryTarget) {
    this.device = device;
    this.isConnected = isConnected;
    this.#facts =
      before !== undefined && before.isConnected === isConnected && knowsSame(before.device, device)
        ? before.#facts
        : deviceFacts(device, isConnected);
  }

  get id(): string {
    return this.device.id;
  }

  get grains(): FactRecord {
    return { ...this.device.grains, [coordinatorGrain]: this.#facts };
  }

  get tags(): FactRecord {
    return this.device.tags;
  }
}

/** In all that deviceFacts looks at. */
function knowsSame(before: DeviceRow, after: DeviceRow): boolean {
  return (
    before.state === after.state &&
    before.createdAtMs === after.createdAtMs &&
    before.sinceMs === after.sinceMs &&
    before.address === after.address &&
    before.agentVersion === after.agentVersion &&
    before.running === after.running &&
    before.hold === after.hold &&
    before.replaces === after.replaces &&
    before.replacedBy === after.replacedBy
  );
}
