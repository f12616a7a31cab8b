import type { TestSpecification } from 'vitest/node';
import { BaseSequencer } from 'vitest/node';

/** Files of half a minute and more, wherever they are: one that begins last keeps every other worker waiting. */
const slow = [
  'e2e/json-contract',
  'integration/coordinator/rollout-crash',
  'e2e/update-path',
  'e2e/clock',
  'integration/agent/updater',
  'e2e/enrollment',
  'e2e/demo',
  'e2e/ca',
  'integration/firmware/fwup-golden',
  'e2e/full-disk',
  'e2e/history',
  'integration/provision/init',
  'integration/soak/power-cut-log',
  'integration/link/link',
  'integration/coordinator/process',
];
const projects = ['e2e', 'integration', 'unit'];

/** The slow files first, then whole fleets, then processes, and pure code at last, whose files are short. */
export default class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((one, other) => rank(one) - rank(other));
  }
}

function rank({ moduleId, project }: TestSpecification): number {
  const place = slow.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
  return place === -1 ? slow.length + projects.indexOf(project.name) : place;
}
