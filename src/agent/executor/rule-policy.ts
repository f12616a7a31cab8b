import { kindsOf, type CommandPattern, type PolicyFile, type PolicyRule } from '../../config/job-policy-file.ts';
import type { JobAction } from '../../protocol/job-action.ts';
import { impossibleCommand, isHarmless, matchesProgram, type JobLimits, type JobPolicy } from './job-policy.ts';

/** The rules of a file, in their order: the first that speaks of a job decides, and what no rule speaks of is refused. */
export function rulePolicy({ rules, limits }: PolicyFile, name: string, section: JobLimits): JobPolicy {
  return {
    limits: { ...section, ...limits },
    objection(action, submittedBy) {
      if (isHarmless(action)) return undefined;
      if (action.kind === 'command') {
        const program = action.shell === true ? '/bin/sh' : (action.argv[0] ?? '');
        const impossible = impossibleCommand(program, action.argv);
        if (impossible !== undefined) return impossible;
      }
      const rule = rules.find((each) => speaksOf(each, action, submittedBy));
      if (rule?.refuse === false) return undefined;
      const what = describe(action).slice(0, 80);
      if (rule !== undefined) return `rule '${rule.name}' of ${name} refuses ${what} for ${submittedBy}`;
      return `no rule of ${name} allows ${what} for ${submittedBy}`;
    },
  };
}

function speaksOf(rule: PolicyRule, action: JobAction, submittedBy: string): boolean {
  const { operators } = rule;
  if (operators !== undefined && !operators.some((glob) => matchesText(glob, submittedBy))) return false;
  if (!speaksOfKind(rule, action)) return false;
  switch (action.kind) {
    case 'command': {
      // A rule that allows must say that it means shells; one that refuses means them anyway.
      if (action.shell === true && !rule.shell && !rule.refuse) return false;
      const argv = action.shell === true ? ['/bin/sh', '-c', ...action.argv] : action.argv;
      return rule.commands === undefined || rule.commands.some((pattern) => matchesCommand(pattern, argv));
    }
    case 'script':
      return rule.scripts === undefined || rule.scripts.includes(action.content.sha256);
    case 'put':
    case 'get':
      return rule.paths === undefined || rule.paths.some((glob) => matchesPath(glob, action.path));
    case 'restart':
      return rule.services === undefined || rule.services.some((glob) => matchesText(glob, action.service));
    default:
      return true;
  }
}

function speaksOfKind(rule: PolicyRule, { kind }: JobAction): boolean {
  if (rule.kinds !== undefined) return (rule.kinds as readonly string[]).includes(kind);
  const limits = (Object.keys(kindsOf) as (keyof typeof kindsOf)[]).filter((name) => rule[name] !== undefined);
  return limits.length === 0 || limits.some((name) => (kindsOf[name] as readonly string[]).includes(kind));
}

function matchesCommand(pattern: CommandPattern, argv: readonly string[]): boolean {
  const [program = '', ...rest] = argv;
  if (typeof pattern === 'string') return matchesProgram(pattern, program);
  const [first = '', ...globs] = pattern;
  if (!matchesProgram(first, program)) return false;
  const open = globs.at(-1) === '**';
  const fixed = open ? globs.slice(0, -1) : globs;
  if (open ? rest.length < fixed.length : rest.length !== fixed.length) return false;
  return fixed.every((glob, at) => matchesText(glob, rest[at]!));
}

function matchesPath(glob: string, path: string): boolean {
  if (path.split('/').includes('..')) return false;
  if (!glob.endsWith('/**')) return matchesProgram(glob, path);
  const depth = glob.split('/').length - 1;
  const parts = path.split('/');
  return parts.length > depth && matchesProgram(glob.slice(0, -3), parts.slice(0, depth).join('/'));
}

/** `*` is any text, `?` one character. Linear in the text for each `*`. */
export function matchesText(glob: string, text: string): boolean {
  // The same walk as over a program, where a slash is nothing special: it can stand in neither.
  const plain = (part: string) => part.replaceAll('/', '\u{1}');
  return matchesProgram(plain(glob), plain(text));
}

function describe(action: JobAction): string {
  switch (action.kind) {
    case 'command':
      return action.shell === true ? 'a shell command' : action.argv.join(' ');
    case 'script':
      return `script ${action.name}`;
    case 'put':
    case 'get':
      return `${action.kind} ${action.path}`;
    case 'restart':
      return `restart ${action.service}`;
    default:
      return action.kind;
  }
}
