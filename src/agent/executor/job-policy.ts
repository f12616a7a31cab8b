/** What the device's owner allows: read from the device's own file, whatever the coordinator asks for. */
export interface JobPolicy {
  /** Globs over argv[0]; a shell job is one of `/bin/sh`. An empty list allows nothing. */
  allow: readonly string[];
  shell: boolean;
  maxOutputBytes: number;
  maxConcurrent: number;
  timeoutSeconds: number;
}

/** Why a job may not run, naming the rule; undefined when it may. */
export function policyObjection(
  policy: Pick<JobPolicy, 'allow' | 'shell'>,
  job: { argv: readonly string[]; shell: boolean },
): string | undefined {
  if (job.shell && !policy.shell) return 'jobs.shell is false on this device: no job may use a shell';
  const program = job.shell ? '/bin/sh' : (job.argv[0] ?? '');
  if (program === '' || job.argv.some((argument) => argument.includes('\0')))
    return 'an argument that no program can be given';
  if (program.split('/').includes('..')) return 'a program path with ".." is never allowed';
  if (policy.allow.some((glob) => matchesProgram(glob, program))) return undefined;
  return `jobs.allow on this device (${policy.allow.join(', ').slice(0, 100) || 'empty'}) does not allow ${program.slice(0, 80)}`;
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
