import { DeviceSet, FleetIndex } from '../../selector/plan/index.ts';
import type { DeviceRow } from '../../store/row.ts';
import { RegistryTarget } from './registry-target.ts';

/**
 * The fleet as selectors see it, kept up to date by the very maps that the core changes: whatever is set, deleted or
 * undone there is in the index when that call returns. A selector is answered without a pause, so it sees the fleet
 * between two changes and never half of one.
 */
export class Registry<Live> {
  readonly devices: Map<string, DeviceRow>;
  readonly live: Map<string, Live>;
  readonly index = new FleetIndex<RegistryTarget>();
  readonly #accepted = new DeviceSet();
  #acceptedCount = 0;

  constructor() {
    this.devices = new WatchedMap((id) => this.#look(id));
    this.live = new PresenceMap((id) => this.#look(id));
  }

  /** Devices that an operator has let in: those that jobs and rollouts may mean. Not to be changed. */
  get accepted(): DeviceSet {
    return this.#accepted;
  }

  get acceptedCount(): number {
    return this.#acceptedCount;
  }

  #look(id: string): void {
    const device = this.devices.get(id);
    const before = this.index.numberOf(id);
    if (before !== undefined && this.#accepted.has(before)) {
      this.#accepted.delete(before);
      this.#acceptedCount -= 1;
    }
    if (device === undefined) return this.index.delete(id);
    this.index.put(new RegistryTarget(device, this.live.has(id), this.index.get(id)));
    if (device.state !== 'accepted') return;
    this.#accepted.add(this.index.numberOf(id)!);
    this.#acceptedCount += 1;
  }
}

class WatchedMap<Value> extends Map<string, Value> {
  protected readonly changed: (id: string) => void;

  constructor(changed: (id: string) => void) {
    super();
    this.changed = changed;
  }

  override set(id: string, value: Value): this {
    super.set(id, value);
    this.changed(id);
    return this;
  }

  override delete(id: string): boolean {
    const had = super.delete(id);
    if (had) this.changed(id);
    return had;
  }

  override clear(): void {
    for (const id of this.keys()) this.delete(id);
  }
}

/** Selectors see that a device is there, and nothing of how: every request that it is sent changes the rest. */
class PresenceMap<Value> extends WatchedMap<Value> {
  override set(id: string, value: Value): this {
    const isNew = !this.has(id);
    Map.prototype.set.call(this, id, value);
    if (isNew) this.changed(id);
    return this;
  }
}
