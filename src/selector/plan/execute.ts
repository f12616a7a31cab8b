import type { CompiledNode } from '../evaluate.ts';
import { bindAddress } from './address-step.ts';
import { DeviceSet } from './device-set.ts';
import { bindFact } from './fact-step.ts';
import type { FleetIndex } from './fleet-index.ts';
import { bindIds } from './id-step.ts';
import { scanStep } from './scan-step.ts';
import { testEffort, type Step } from './step.ts';

/**
 * The devices that a selector means: the same ones as its tests one by one, which stay what defines it. Each part looks
 * only at what the parts before it have left open, the cheapest first. Nothing is awaited on the way, so the answer is
 * of one instant.
 * @param within only these; all when left out
 */
export function selectSet(index: FleetIndex, compiled: CompiledNode, within: DeviceSet = index.all): DeviceSet {
  return bind(index, compiled).select(within);
}

function bind(index: FleetIndex, compiled: CompiledNode): Step {
  const { node, children } = compiled;
  switch (node.kind) {
    case 'and':
      return allOf(children.map((child) => bind(index, child)));
    case 'or':
      return anyOf(children.map((child) => bind(index, child)));
    case 'not':
      return complementOf(bind(index, children[0]!));
    case 'id-glob':
    case 'id-regex':
    case 'id-list':
      return bindIds(index, node);
    case 'address':
      return bindAddress(index.grains, node);
    case 'fact': {
      const facts = node.from === 'grains' ? index.grains : index.tags;
      return (compiled.fact && bindFact(facts, node, compiled.fact)) ?? walk(index, compiled);
    }
  }
}

/** What no index answers: the device's own test. */
function walk(index: FleetIndex, { test }: CompiledNode): Step {
  return scanStep((number) => test(index.targetOf(number)!), index.size * testEffort.walk);
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
