import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { AgentConfig } from '../../config/agent-config.ts';
import { parsePolicyFile } from '../../config/job-policy-file.ts';
import { ConfigError, formatProblem } from '../../config/problem.ts';
import { systemErrorCode } from '../../error.ts';
import { bad, ok, warn, type Finding } from './finding.ts';

const writableByOthers = 0o022;
const name = 'job policy';

/** What the owner lets jobs do. A file that can't be used lets nothing in, and nobody would notice before the next job. */
export async function checkJobPolicy({ jobs }: Pick<AgentConfig, 'jobs'>): Promise<Finding> {
  const { policy, allow } = jobs;
  const file = basename(policy);
  const unusable = (why: string, mend: string) =>
    bad(name, `${file} can't be used, no job is taken but a ping: ${why}`, mend);
  try {
    const facts = await stat(policy);
    // oxlint-disable-next-line no-bitwise
    if ((facts.mode & writableByOthers) !== 0) {
      return unusable('others than its owner can write it', `chmod go-w ${policy}`);
    }
    const { rules } = parsePolicyFile(await readFile(policy, 'utf8'), policy);
    if (rules.every(({ refuse }) => refuse)) {
      return warn(name, `no rule of ${file} allows anything but a ping`, 'add a rule for what jobs may do');
    }
    return ok(name, `${rules.length} rule${rules.length === 1 ? '' : 's'} in ${policy}`);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT')
      return ok(name, `no ${file}: programs by jobs.allow (${allow.join(', ')})`);
    const [problem] = error instanceof ConfigError ? error.problems : [];
    const why = problem === undefined ? (systemErrorCode(error) ?? String(error)) : formatProblem(problem);
    return unusable(why, `mend ${policy}; docs/guide/jobs.md has its form`);
  }
}
