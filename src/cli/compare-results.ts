import type { DeviceResult } from '../client/contract/index.ts';
import { unifiedDiff } from './unified-diff.ts';

/** Devices that said the same: how the command ended, and what it wrote. */
export interface ResultGroup {
  outcome: string;
  exitCode?: number;
  stdout: string;
  stderr: string;
  count: number;
  /** At most `maxNamed` of them. */
  devices: string[];
  /** Against the largest group; absent for that one. */
  diff?: string[];
}

export interface ResultComparison {
  job: string;
  devices: number;
  /** The largest first. */
  groups: ResultGroup[];
  /** Small ones that are not in `groups`, and how many devices they hold. */
  more: { groups: number; devices: number };
}

const maxNamed = 20;

/** Sorts devices by what they said; only what differs is kept, so that a large fleet of one mind costs nothing. */
export class ResultComparer {
  readonly #groups = new Map<string, ResultGroup>();
  #devices = 0;

  add(result: DeviceResult): void {
    const { exitCode, stdout = '', stderr = '' } = result;
    const outcome = result.outcome ?? result.state;
    const key = JSON.stringify([outcome, exitCode, stdout, stderr]);
    const group = this.#groups.get(key) ?? {
      outcome,
      ...(exitCode === undefined ? {} : { exitCode }),
      stdout,
      stderr,
      count: 0,
      devices: [],
    };
    this.#groups.set(key, group);
    group.count += 1;
    if (group.devices.length < maxNamed) group.devices.push(result.deviceId);
    this.#devices += 1;
  }

  /** @param maxGroups beyond these nobody would read on */
  compare(job: string, maxGroups: number): ResultComparison {
    const all = [...this.#groups.values()].toSorted((a, b) => b.count - a.count);
    const groups = all.slice(0, maxGroups);
    const [majority] = groups;
    const rest = all.slice(maxGroups);
    return {
      job,
      devices: this.#devices,
      groups: groups.map((group) =>
        group === majority || majority === undefined
          ? group
          : { ...group, diff: unifiedDiff(textOf(majority), textOf(group)) },
      ),
      more: { groups: rest.length, devices: rest.reduce((sum, { count }) => sum + count, 0) },
    };
  }
}

/** stdout, then stderr as a person is shown it. */
export function textOf({ stdout, stderr }: Pick<ResultGroup, 'stdout' | 'stderr'>): string {
  if (stderr === '') return stdout;
  const lines = stderr.replace(/\n$/, '').split('\n');
  return `${stdout === '' || stdout.endsWith('\n') ? stdout : `${stdout}\n`}${lines.map((line) => `! ${line}`).join('\n')}\n`;
}
