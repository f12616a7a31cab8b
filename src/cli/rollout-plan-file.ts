/**
 * The file of a plan: YAML that a person reads from the top, with a line for each target. The lines are JSON, so that a
 * plan of a hundred thousand devices is read in a second.
 */
import { parse, stringify } from 'yaml';
import type { RolloutPlan } from '../client/contract/index.ts';
import { FlotillaError } from '../error.ts';
import { readInput } from './read-input.ts';

const maxPlanBytes = 64 * 1024 * 1024;
const head =
  '# A plan of `flotilla rollout plan`. Read it, then: flotilla rollout apply FILE\n# It is refused when it was edited, or when the fleet is not what it was.\n';
const targetsLine = 'targets:';
const item = '  - ';

export function formatPlanFile({ targets, leftOut, ...rest }: RolloutPlan): string {
  const lines = (name: string, rows: readonly unknown[]) =>
    rows.length === 0 ? `${name}: []\n` : `${name}:\n${rows.map((row) => `${item}${JSON.stringify(row)}\n`).join('')}`;
  return `${head}${stringify(rest, { lineWidth: 0 })}${lines('leftOut', leftOut)}${lines('targets', targets)}`;
}

/** Its shape is judged by the coordinator. @throws FlotillaError `usage` with the line that can't be read */
export async function readPlanFile(path: string): Promise<RolloutPlan> {
  return parsePlanFile(
    (await readInput(path, 'a plan of `flotilla rollout plan`', maxPlanBytes)).toString('utf8'),
    path,
  );
}

export function parsePlanFile(source: string, path: string): RolloutPlan {
  const lines = source.split('\n');
  const at = lines.indexOf(targetsLine);
  if (at === -1) throw notAPlan(path, 1, 'there are no targets in it');
  let plan: unknown;
  try {
    plan = parse(lines.slice(0, at).join('\n'));
  } catch (cause) {
    throw notAPlan(path, 1, cause instanceof Error ? cause.message : String(cause), cause);
  }
  if (typeof plan !== 'object' || plan === null) throw notAPlan(path, 1, 'its head is no map');
  const targets: unknown[] = [];
  for (const [offset, line] of lines.slice(at + 1).entries()) {
    if (line === '') continue;
    const number = at + 2 + offset;
    if (!line.startsWith(item)) throw notAPlan(path, number, line.slice(0, 80));
    try {
      targets.push(JSON.parse(line.slice(item.length)));
    } catch (cause) {
      throw notAPlan(path, number, line.slice(0, 80), cause);
    }
  }
  return { ...plan, targets } as RolloutPlan;
}

function notAPlan(path: string, line: number, seen: string, cause?: unknown): FlotillaError {
  return new FlotillaError('usage', 'rollout-plan-unreadable', 'this is no plan of a rollout', {
    seen,
    expected: 'the file as `flotilla rollout plan` wrote it',
    suggestion: 'make a new plan: flotilla rollout plan',
    position: { file: path, line, column: 1 },
    ...(cause === undefined ? {} : { cause }),
  });
}
