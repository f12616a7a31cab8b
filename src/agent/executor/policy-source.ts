import { readFileSync, statSync, type Stats } from 'node:fs';
import { basename } from 'node:path';
import { parsePolicyFile } from '../../config/job-policy-file.ts';
import { formatProblem, ConfigError } from '../../config/problem.ts';
import { systemErrorCode } from '../../error.ts';
import type { Log } from '../../log.ts';
import { sectionPolicy, type JobPolicy, type JobSection } from './job-policy.ts';
import { rulePolicy } from './rule-policy.ts';

const maxBytes = 1024 * 1024;
const writableByOthers = 0o022;

/**
 * The policy as the owner's file says now: read again when it has changed. Without a file the section of agent.yaml
 * holds; a file that can't be used lets nothing in but a ping, and says why.
 */
export class PolicySource {
  readonly #path: string;
  readonly #section: JobSection;
  readonly #logger: Log;
  #mark = '';
  #policy: JobPolicy;

  constructor({ path, section, logger }: { path: string; section: JobSection; logger: Log }) {
    this.#path = path;
    this.#section = section;
    this.#logger = logger;
    this.#policy = sectionPolicy(section);
  }

  current(): JobPolicy {
    let facts: Stats | undefined;
    try {
      facts = statSync(this.#path, { throwIfNoEntry: false });
    } catch (error) {
      return this.#take(`error ${systemErrorCode(error)}`, () => this.#broken(systemErrorCode(error) ?? String(error)));
    }
    if (facts === undefined) return this.#take('none', () => sectionPolicy(this.#section));
    const { mtimeMs, size, ino, mode } = facts;
    return this.#take(`${mtimeMs} ${size} ${ino} ${mode}`, () => this.#read(facts));
  }

  #take(mark: string, make: () => JobPolicy): JobPolicy {
    if (mark === this.#mark) return this.#policy;
    this.#mark = mark;
    this.#policy = make();
    return this.#policy;
  }

  #read({ size, mode }: Stats): JobPolicy {
    const name = basename(this.#path);
    try {
      // oxlint-disable-next-line no-bitwise
      if ((mode & writableByOthers) !== 0) return this.#broken('others than its owner can write it');
      if (size > maxBytes) return this.#broken(`it has ${size} bytes`);
      const policy = rulePolicy(parsePolicyFile(readFileSync(this.#path, 'utf8'), this.#path), name, this.#section);
      this.#logger.info({ policy: this.#path }, 'the policy for jobs was read');
      return policy;
    } catch (error) {
      return this.#broken(reasonOf(error));
    }
  }

  #broken(reason: string): JobPolicy {
    this.#logger.error(
      { policy: this.#path, reason },
      'the policy for jobs can not be used: no job is taken but a ping',
    );
    const name = basename(this.#path);
    return {
      limits: this.#section,
      objection: ({ kind }) =>
        kind === 'ping' ? undefined : `${name} can't be used, so that nothing is taken but a ping: ${reason}`,
    };
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof ConfigError) {
    const [first] = error.problems;
    return first === undefined ? error.message : formatProblem(first);
  }
  return systemErrorCode(error) ?? String(error);
}
