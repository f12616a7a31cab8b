import type { ComparisonPattern } from '../comparison.ts';
import { momentOf, type CompiledNode, type Moment } from '../evaluate.ts';
import { bindAddress } from './address-step.ts';
import { DeviceSet } from './device-set.ts';
import type { FactIndex } from './fact-index.ts';
import { bindFact } from './fact-step.ts';
import type { FleetIndex } from './fleet-index.ts';
import { bindIds } from './id-step.ts';
import { scanStep } from './scan-step.ts';
import { testEffort, type Step } from './step.ts';

/**
 * The devices that a selector means: the same ones as its tests one by one, which stay what defines it. Each part looks
 * only at what the parts before it have left open, the cheapest first. Nothing is awaited on the way, so the answer is
 * of one instant.
 */
export function selectSet(index: FleetIndex, compiled: CompiledNode, asked: Question): DeviceSet {
  const { within = index.all } = asked;
  return bind(index, compiled, momentFor(index, asked)).select(within);
}

export interface Question {
  /** Only these; all when left out. */
  within?: DeviceSet;
  /** Ages are counted to it. */
  nowMs: number;
}

/** Samples are drawn from those that are asked about. */
export function momentFor(index: FleetIndex, { within = index.all, nowMs }: Question): Moment {
  return momentOf(nowMs, () => index.idsOf(within));
}

function bind(index: FleetIndex, compiled: CompiledNode, moment: Moment): Step {
  const { node, children } = compiled;
  const bound = (): Step[] => children.map((child) => bind(index, child, moment));
  switch (node.kind) {
    case 'and':
      return allOf(bound());
    case 'or':
      return anyOf(bound());
    case 'not':
      return complementOf(bound()[0]!);
    case 'group':
      return bound()[0]!;
    case 'id-glob':
    case 'id-regex':
    case 'id-list':
      return bindIds(index, node);
    case 'address':
      return bindAddress(index.grains, node);
    case 'fact': {
      const fact = compiled.fact === undefined ? undefined : bindFact(index[node.from], compiled.fact, moment, node);
      return fact ?? walk(index, compiled, moment);
    }
    case 'comparison': {
      const { comparison } = compiled;
      const bounds = comparison === undefined ? undefined : bindComparison(index[node.from], comparison, moment);
      return bounds ?? walk(index, compiled, moment);
    }
    case 'sample':
      return walk(index, compiled, moment);
  }
}

function bindComparison(facts: FactIndex, { wanted, unwanted }: ComparisonPattern, moment: Moment): Step | undefined {
  const having = bindFact(facts, wanted, moment);
  if (unwanted === undefined || having === undefined) return having;
  const broken = bindFact(facts, unwanted, moment);
  return broken && allOf([having, complementOf(broken)]);
}

/** What no index answers: the device's own test. */
function walk(index: FleetIndex, { test }: CompiledNode, moment: Moment): Step {
  return scanStep((number) => test(index.targetOf(number)!, moment), index.size * testEffort.walk);
}

function allOf(steps: Step[]): Step {
  steps.sort((left, right) => left.effort - right.effort);
  return {
    effort: sum(steps),
    select: (within) => {
      let left = within;
      for (const step of steps) {
        left = step.select(left);
        if (left.isEmpty) break;
      }
      return left;
    },
  };
}

function anyOf(steps: Step[]): Step {
  steps.sort((left, right) => left.effort - right.effort);
  return {
    effort: sum(steps),
    select: (within) => {
      const found = new DeviceSet();
      const open = within.copy();
      for (const step of steps) {
        if (open.isEmpty) break;
        const more = step.select(open);
        found.addAll(more);
        open.deleteAll(more);
      }
      return found;
    },
  };
}

function complementOf(step: Step): Step {
  return {
    effort: step.effort,
    select: (within) => {
      const rest = within.copy();
      rest.deleteAll(step.select(within));
      return rest;
    },
  };
}

function sum(steps: readonly Step[]): number {
  return steps.reduce((total, { effort }) => total + effort, 0);
}
