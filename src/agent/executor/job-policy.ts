import type { JobAction } from '../../protocol/job-action.ts';
import type { JobRun } from '../../protocol/request.ts';

export interface JobLimits {
  maxOutputBytes: number;
  maxConcurrent: number;
  timeoutSeconds: number;
}

/** What a device's owner allows, whatever the coordinator asks for. */
export interface JobPolicy {
  limits: JobLimits;
  /** Why this may not be done, naming the rule; undefined when it may. */
  objection(action: JobAction, submittedBy: string): string | undefined;
}

/** The `jobs:` section of agent.yaml. */
export interface JobSection extends JobLimits {
  /** Globs over argv[0]; a shell job is one of `/bin/sh`. An empty list allows nothing. */
  allow: readonly string[];
  shell: boolean;
}

/** What can do no harm: it tells what the device tells anyway. */
export function isHarmless({ kind }: JobAction): boolean {
  return kind === 'ping' || kind === 'refresh';
}

/** To a job as a whole: also to what takes it back. */
export function objectionTo({ action, hold, submittedBy }: JobRun, policy: JobPolicy): string | undefined {
  const restore = hold === undefined ? undefined : policy.objection(hold.restore, submittedBy);
  const behind = restore === undefined ? undefined : `the action behind --then: ${restore}`;
  return policy.objection(action, submittedBy) ?? behind;
}

/** The policy of a device that has no policy file. */
export function sectionPolicy(section: JobSection): JobPolicy {
  return {
    limits: section,
    objection(action) {
      if (isHarmless(action)) return undefined;
      if (action.kind === 'command') return commandObjection(section, action.argv, action.shell ?? false);
      // What can write a file or end a service can do what any program can.
      if (section.allow.includes('*')) return undefined;
      const only = section.allow.join(', ').slice(0, 100) || 'empty';
      return `jobs.allow on this device (${only}) names programs; ${action.kind} jobs need '*', or a policy file`;
    },
  };
}

function commandObjection(section: JobSection, argv: readonly string[], shell: boolean): string | undefined {
  if (shell && !section.shell) return 'jobs.shell is false on this device: no job may use a shell';
  const program = shell ? '/bin/sh' : (argv[0] ?? '');
  const impossible = impossibleCommand(program, argv);
  if (impossible !== undefined) return impossible;
  if (section.allow.some((glob) => matchesProgram(glob, program))) return undefined;
  return `jobs.allow on this device (${section.allow.join(', ').slice(0, 100) || 'empty'}) does not allow ${program.slice(0, 80)}`;
}

/** What no policy can allow. */
export function impossibleCommand(program: string, argv: readonly string[]): string | undefined {
  if (program === '' || argv.some((argument) => argument.includes('\0')))
    return 'an argument that no program can be given';
  if (program.split('/').includes('..')) return 'a program path with ".." is never allowed';
  return undefined;
}

/** `*` alone is everything; else `*` and `?` stay within one part of a path. Linear in the text for each `*`. */
export function matchesProgram(glob: string, program: string): boolean {
  if (glob === '*') return true;
  let at = 0;
  let star = -1;
  let resume = 0;
  let from = 0;
  while (at < program.length) {
    const want = glob[from];
    if (want === '*') {
      star = from++;
      resume = at;
    } else if (want !== undefined && (want === program[at] || (want === '?' && program[at] !== '/'))) {
      from++;
      at++;
    } else if (star >= 0 && program[resume] !== '/') {
      from = star + 1;
      at = ++resume;
    } else return false;
  }
  return /^\**$/.test(glob.slice(from));
}
