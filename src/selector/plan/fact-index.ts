import { isRecord, type FactRecord } from '../fact-text.ts';
import { ValueColumn } from './value-column.ts';

/** A place in the nested maps of all devices. */
export interface PathNode {
  /** Keys from the root; empty at the root. */
  readonly path: readonly string[];
  readonly children: Map<string, PathNode>;
  /** What devices have here that is no map: texts, numbers, lists, empty maps. */
  column: ValueColumn | undefined;
}

/** Maps are split into paths down to here; what is deeper is one value. No limit of the language. */
const maxSplitDepth = 8;

/**
 * The facts of one kind (grains, tags, what the coordinator knows) of a whole fleet, as columns by path. Maps are split;
 * a list is one value, since a step into a list depends on its other members. `hasFact` of a record is true exactly when
 * it is true for one of its paths alone, which is what makes columns enough: a key, a value, or a name is looked for
 * somewhere, never everywhere.
 */
export class FactIndex {
  readonly root: PathNode = { path: [], children: new Map(), column: undefined };

  /**
   * Changes what is known of one device. Parts that are the same object before and after are not looked at, so a change
   * of one grain costs one grain. Neither record may be changed in place, ever.
   * @param room numbers of devices that were given out
   */
  change(device: number, before: FactRecord, after: FactRecord, room: number): void {
    this.#changeMap(this.root, { device, room }, before, after);
  }

  #changeMap(node: PathNode, slot: Slot, before: FactRecord, after: FactRecord): void {
    for (const name of Object.keys(before)) {
      if (Object.hasOwn(after, name)) continue;
      const child = node.children.get(name);
      if (child !== undefined) this.#change(child, slot, before[name], absent);
      dropIfEmpty(node, name);
    }
    for (const name of Object.keys(after)) {
      const value = after[name];
      const old = Object.hasOwn(before, name) ? before[name] : absent;
      if (old === value) continue;
      let child = node.children.get(name);
      if (child === undefined) {
        child = { path: [...node.path, name], children: new Map(), column: undefined };
        node.children.set(name, child);
      }
      this.#change(child, slot, old, value);
    }
  }

  #change(node: PathNode, slot: Slot, before: unknown, after: unknown): void {
    const wasMap = isSplit(node, before);
    const isMap = isSplit(node, after);
    if (wasMap || isMap) this.#changeMap(node, slot, wasMap ? before : {}, isMap ? after : {});
    if (!isMap && after !== absent) {
      node.column ??= new ValueColumn();
      node.column.set(slot.device, after, slot.room);
    } else if (!wasMap && before !== absent && node.column !== undefined) {
      node.column.delete(slot.device, slot.room);
      if (node.column.size === 0) node.column = undefined;
    }
  }
}

interface Slot {
  device: number;
  room: number;
}

/** No value at all; `null` is one. */
const absent = Symbol('absent');

/** An empty map has no path of its own, so it is a value. */
function isSplit(node: PathNode, value: unknown): value is FactRecord {
  if (!isRecord(value) || node.path.length >= maxSplitDepth) return false;
  for (const _ in value) return true;
  return false;
}

/** Names come and go with devices that make them up. */
function dropIfEmpty(node: PathNode, name: string): void {
  const child = node.children.get(name);
  if (child !== undefined && child.column === undefined && child.children.size === 0) node.children.delete(name);
}
