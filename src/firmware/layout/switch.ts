import { parseBlockNumber } from '../config/call-spec.ts';
import type { Call, Section } from '../config/section.ts';
import { fromByteString, type ByteString } from '../config/source-text.ts';
import { fatPath, type Effect } from './effect.ts';
import { partitionsOf } from './partition.ts';
import type { Step } from './step.ts';
import type { TaskModel } from './task-model.ts';

/** Something on the disk that requirements read and tasks change, and by which the boot loader may choose. */
export interface Fact {
  readonly kind: 'variable' | 'file' | 'partition';
  /** The same for the same thing. */
  readonly key: string;
  /** For people: `active_slot in env`. */
  readonly label: string;
  /** Absent: taken away. Of a file: where its content comes from, or the text that must stand in it. */
  readonly value?: string;
}

/** A fact that decides which slot boots: different upgrades set it differently, or test it before they set it. */
export interface Switch {
  readonly kind: Fact['kind'];
  readonly key: string;
  readonly label: string;
  /** Whether different upgrades set different values: such a switch tells slots apart. */
  readonly tellsSlots: boolean;
}

export function requiredFact({ name, args }: Call): Fact | undefined {
  const [first = '', second = '', third = ''] = args;
  switch (name) {
    case 'require-uboot-variable':
      return variableFact(first, second, third);
    case 'require-fat-file-match':
      return fileFact(parseBlockNumber(first) ?? -1, fatPath(second), third);
    case 'require-fat-file-exists':
      return fileFact(parseBlockNumber(first) ?? -1, fatPath(second), undefined);
    case 'require-partition-offset':
      return partitionFact(parseBlockNumber(first) ?? -1, parseBlockNumber(second));
    default:
      return undefined;
  }
}

export function changedFacts(effect: Effect, root: Section): Fact[] {
  switch (effect.kind) {
    case 'environment':
      if (effect.variable === undefined) return [];
      return [variableFact(effect.environment, effect.variable, effect.change === 'set' ? effect.value : undefined)];
    case 'file':
      if (effect.change === 'directory' || effect.change === 'other') return [];
      return [fileFact(effect.fatBlock, effect.path, effect.change === 'remove' ? undefined : effect.from)];
    case 'table': {
      const table = root.find(effect.table, effect.name);
      if (table === undefined || effect.table === 'gpt') return []; // only an MBR can be asked for an offset
      return partitionsOf(table)
        .filter(({ index }) => index <= 3)
        .map(({ index, range }) => partitionFact(index, range.firstBlock));
    }
    default:
      return [];
  }
}

/** All switches; those that tell slots apart first, variables before files before partition tables. */
export function switchesOf(tasks: readonly TaskModel[], root: Section): Switch[] {
  const facts = new Map<string, { fact: Fact; required: Set<string>; set: Set<string>; setters: number }>();
  const entry = (fact: Fact) => {
    const known = facts.get(fact.key) ?? { fact, required: new Set<string>(), set: new Set<string>(), setters: 0 };
    facts.set(fact.key, known);
    return known;
  };
  for (const { task } of tasks) {
    for (const fact of task.calls.flatMap((call) => requiredFact(call) ?? [])) {
      entry(fact).required.add(fact.value ?? '');
    }
  }
  const upgrades = tasks.filter(({ kind }) => kind === 'upgrade');
  for (const { steps } of upgrades) {
    for (const fact of lastValues(steps, root).values()) {
      if (fact.value === undefined) continue;
      const known = entry(fact);
      known.set.add(fact.value);
      known.setters += 1;
    }
  }
  const found = [...facts.values()].filter(({ fact, required, set }) => {
    if (set.size === 0 || (fact.kind === 'variable' && describesSlot(fact.key))) return false;
    if (set.size > 1) return true;
    return fact.kind === 'file' ? required.size > 0 : new Set([...required, ...set]).size > 1;
  });
  const order: Fact['kind'][] = ['variable', 'file', 'partition'];
  return found
    .map(({ fact, set, setters, required }) => ({
      kind: fact.kind,
      key: fact.key,
      label: fact.label,
      tellsSlots: (set.size > 1 && setters > 1) || (upgrades.length === 1 && required.size > 0),
    }))
    .sort((a, b) => Number(b.tellsSlots) - Number(a.tellsSlots) || order.indexOf(a.kind) - order.indexOf(b.kind));
}

/** `a.version`, `b.validated`: by convention what is told about one slot, not the choice between them. */
function describesSlot(key: string): boolean {
  return /\0[a-z0-9]{1,2}\.[^\0]*$/i.test(key);
}

/** What the steps leave behind, by the key of the fact. */
export function lastValues(steps: readonly Step[], root: Section): Map<string, Fact> {
  const facts = steps.flatMap(({ effects }) => effects.flatMap((effect) => changedFacts(effect, root)));
  return new Map(facts.map((fact) => [fact.key, fact]));
}

function variableFact(environment: ByteString, variable: ByteString, value: ByteString | undefined): Fact {
  const label = `${fromByteString(variable)} in ${fromByteString(environment)}`;
  return { kind: 'variable', key: `variable\0${environment}\0${variable}`, label, ...valued(value) };
}

function fileFact(fatBlock: number, path: string, value: string | undefined): Fact {
  const label = `${fromByteString(path)} on the FAT at block ${fatBlock}`;
  return { kind: 'file', key: `file\0${fatBlock}\0${path}`, label, ...valued(value) };
}

function partitionFact(index: number, block: number | undefined): Fact {
  const label = `the place of partition ${index}`;
  return { kind: 'partition', key: `partition\0${index}`, label, ...valued(block?.toString()) };
}

function valued(value: ByteString | undefined): { value?: string } {
  return value === undefined ? {} : { value: fromByteString(value) };
}
