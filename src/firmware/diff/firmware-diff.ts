import type { FirmwareSource } from '../archive/firmware-source.ts';
import type { Section } from '../config/section.ts';
import { fromByteString } from '../config/source-text.ts';
import { sameRange, type BlockRange } from '../layout/block-range.ts';
import { diskModel, type DiskModel } from '../layout/disk-model.ts';
import { errorSteps, formatCall, type Step } from '../layout/step.ts';
import { judgeUpgrade, type UpgradeVerdict } from './upgrade.ts';

/** What differs between two bundles or configurations. Equal parts are left out. */
export interface FirmwareDiff {
  /** Whether nothing at all differs that a device would notice. */
  same: boolean;
  uuid: { before?: string; after?: string };
  metadata: Changed<string>[];
  resources: (Changed<ResourceFact> & { name: string })[];
  tasks: TaskDiff[];
  /** Places on the disk. */
  regions: (Changed<BlockRange> & { name: string })[];
  upgrade: UpgradeVerdict;
}

/** Without `before` it is new, without `after` it is gone. */
export interface Changed<T> {
  name: string;
  before?: T;
  after?: T;
}

export interface ResourceFact {
  lengthBytes?: number;
  /** Of a bundle only. */
  blake2b256?: string;
}

export interface TaskDiff {
  name: string;
  change: 'added' | 'removed' | 'changed' | 'moved';
  /** By `requires`, the event, or the resource. */
  parts: { part: string; removed: string[]; added: string[]; reordered?: true }[];
}

/** From `before` to `after`, with the answer whether a device that has the one can take the other. */
export function diffFirmware(before: FirmwareSource, after: FirmwareSource): FirmwareDiff {
  const [a, b] = [diskModel(before.root, before.sizes), diskModel(after.root, after.sizes)];
  const parts = {
    metadata: diffMetadata(before.root, after.root),
    resources: diffMaps(resourceFacts(before), resourceFacts(after), (x, y) => x.lengthBytes === y.lengthBytes && x.blake2b256 === y.blake2b256), // prettier-ignore
    tasks: diffTasks(a, b),
    regions: diffMaps(regionRanges(a), regionRanges(b), sameRange),
  };
  const uuids = { ...uuidOf(before, 'before'), ...uuidOf(after, 'after') };
  const sameUuid = uuids.before === uuids.after;
  return {
    same: sameUuid && Object.values(parts).every(({ length }) => length === 0),
    uuid: uuids,
    ...parts,
    upgrade: judgeUpgrade(a, b),
  };
}

function uuidOf({ bundle }: FirmwareSource, side: 'before' | 'after'): { before?: string; after?: string } {
  return bundle === undefined ? {} : { [side]: bundle.uuid };
}

const metadataOptions = ['meta-product', 'meta-description', 'meta-version', 'meta-author', 'meta-platform', 'meta-architecture', 'meta-vcs-identifier', 'meta-misc', 'meta-fwup-version', 'require-fwup-version']; // prettier-ignore

function diffMetadata(before: Section, after: Section): Changed<string>[] {
  const facts = (root: Section) =>
    new Map(metadataOptions.flatMap((name) => (root.has(name) ? [[name, fromByteString(root.text(name) ?? '')] as const] : []))); // prettier-ignore
  return diffMaps(facts(before), facts(after), (a, b) => a === b);
}

function resourceFacts({ root, sizes }: FirmwareSource): Map<string, ResourceFact> {
  return new Map(
    root.all('file-resource').map((section) => {
      const lengthBytes = sizes.get(section.title)?.bytes;
      const hash = section.text('blake2b-256');
      return [
        fromByteString(section.title),
        { ...(lengthBytes === undefined ? {} : { lengthBytes }), ...(hash === undefined ? {} : { blake2b256: hash }) },
      ];
    }),
  );
}

/** A name that two regions share is told apart by its turn. */
function regionRanges({ regions }: DiskModel): Map<string, BlockRange> {
  const found = new Map<string, BlockRange>();
  for (const { name, range, kind } of regions) {
    if (kind === 'raw') continue; // a write; the tasks tell about it
    let unique = name;
    for (let turn = 2; found.has(unique); turn++) unique = `${name} (${turn})`;
    found.set(unique, range);
  }
  return found;
}

function diffMaps<T>(
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
  same: (a: T, b: T) => boolean,
): Changed<T>[] {
  // prettier-ignore
  const changes: Changed<T>[] = [];
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const [a, b] = [before.get(name), after.get(name)];
    if (a !== undefined && b !== undefined && same(a, b)) continue;
    changes.push({ name, ...(a === undefined ? {} : { before: a }), ...(b === undefined ? {} : { after: b }) });
  }
  return changes;
}

// ---- tasks

function diffTasks(before: DiskModel, after: DiskModel): TaskDiff[] {
  const [a, b] = [taskParts(before), taskParts(after)];
  const kept = (first: typeof a, second: typeof a) => [...first.keys()].filter((name) => second.has(name));
  const [orderBefore, orderAfter] = [kept(a, b), kept(b, a)];
  return [...new Set([...a.keys(), ...b.keys()])].flatMap((name): TaskDiff[] => {
    const [first, second] = [a.get(name) ?? new Map<string, string[]>(), b.get(name) ?? new Map<string, string[]>()];
    const parts = diffParts(first, second);
    if (!a.has(name)) return [{ name, change: 'added', parts }];
    if (!b.has(name)) return [{ name, change: 'removed', parts }];
    // The order decides which of several tasks that hold is chosen.
    const moved = orderBefore.indexOf(name) !== orderAfter.indexOf(name);
    if (parts.length === 0) return moved ? [{ name, change: 'moved', parts }] : [];
    return [{ name, change: 'changed', parts }];
  });
}

function taskParts(model: DiskModel): Map<string, Map<string, string[]>> {
  return new Map(
    model.tasks.map(({ task, steps }) => {
      const parts = new Map<string, string[]>();
      const add = (part: string, text: string): void => void parts.set(part, [...(parts.get(part) ?? []), text]);
      for (const call of task.calls) add('requires', fromByteString(formatCall(call)));
      const every: Step[] = [...steps, ...errorSteps(task, model.sizes)];
      for (const { event, resource, call } of every) {
        add(resource === undefined ? event : fromByteString(resource.title), fromByteString(formatCall(call)));
      }
      return [fromByteString(task.title), parts];
    }),
  );
}

function diffParts(before: ReadonlyMap<string, string[]>, after: ReadonlyMap<string, string[]>): TaskDiff['parts'] {
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((part) => {
    const [a, b] = [before.get(part) ?? [], after.get(part) ?? []];
    const [removed, added] = [without(a, b), without(b, a)];
    if (removed.length + added.length > 0) return [{ part, removed, added }];
    return a.some((text, at) => text !== b[at]) ? [{ part, removed, added, reordered: true as const }] : [];
  });
}

/** The items of `from` that are not in `other`, each as often as it is missing. */
function without(from: readonly string[], other: readonly string[]): string[] {
  const left = [...other];
  return from.filter((item) => {
    const at = left.indexOf(item);
    if (at < 0) return true;
    left.splice(at, 1);
    return false;
  });
}
