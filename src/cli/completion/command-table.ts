/** What the shell scripts know of the commands, from oclif's own list: nothing is written down twice. */
export interface CommandFacts {
  /** `device:list` */
  id: string;
  hidden?: boolean | undefined;
  args?: Record<string, ArgFacts>;
  flags?: Record<string, FlagFacts>;
}

interface ArgFacts {
  name: string;
  options?: readonly string[];
}

interface FlagFacts {
  name: string;
  type: string;
  char?: string;
  helpValue?: unknown;
  options?: readonly string[];
  hidden?: boolean;
}

/** One command as the scripts hold it. */
export interface CommandRow {
  /** `device list` */
  path: string;
  /** `--yes`, `-y`, `--state=options:a,b`, `--device=selector`: what stands behind `=` is what follows the flag. */
  flags: string[];
  /** What each argument is. */
  args: string[];
}

/** Words below each topic: `['device', ['config', 'list', …]]`; the empty topic holds the first words. */
export type TopicRow = [topic: string, words: string[]];

const selectorArgs = new Set(['selector', 'device', 'old', 'place']);
const fileArgs = new Set('file bundle before after certificate csr request local prefix dir command'.split(' '));

export function commandRows(commands: readonly CommandFacts[]): CommandRow[] {
  return commands
    .filter(({ hidden }) => hidden !== true)
    .map(({ id, args = {}, flags = {} }) => ({
      path: id.replaceAll(':', ' '),
      flags: Object.values(flags).flatMap(flagWords),
      args: Object.values(args).map((arg) => argKind(id, arg)),
    }))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

export function topicRows(rows: readonly CommandRow[]): TopicRow[] {
  const topics = new Map<string, Set<string>>();
  for (const { path } of rows) {
    const words = path.split(' ');
    for (const [index, word] of words.entries()) {
      const topic = words.slice(0, index).join(' ');
      topics.set(topic, (topics.get(topic) ?? new Set()).add(word));
    }
  }
  return [...topics].map(([topic, words]) => [topic, [...words].toSorted()]);
}

function argKind(id: string, { name, options }: ArgFacts): string {
  if (options !== undefined) return `options:${options.join(',')}`;
  if (selectorArgs.has(name)) return 'selector';
  if (name === 'name' && id.startsWith('group:')) return 'group';
  return fileArgs.has(name) ? 'file' : 'none';
}

function flagWords({ name, type, char, helpValue, options, hidden }: FlagFacts): string[] {
  if (hidden === true) return [];
  const names = [`--${name}`, ...(char === undefined ? [] : [`-${char}`])];
  if (type !== 'option') return names;
  const kind =
    options === undefined
      ? valueKind(name, typeof helpValue === 'string' ? helpValue : '')
      : `options:${options.join(',')}`;
  return names.map((word) => `${word}=${kind}`);
}

function valueKind(name: string, helpValue: string): string {
  if (helpValue.includes('SELECTOR') && !helpValue.startsWith('SIZE')) return 'selector';
  if (name === 'device' && helpValue === 'ID') return 'selector';
  if (/FILE|PATH/u.test(helpValue)) return 'file';
  return name.endsWith('-dir') || /DIR|FOLDER/u.test(helpValue) ? 'folder' : 'none';
}
