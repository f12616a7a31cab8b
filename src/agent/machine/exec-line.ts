/** One line of shell that becomes a program, with arguments and values as they are. */
export interface ExecLine {
  file: string;
  args: readonly string[];
  /** Exported beside what the shell has. */
  environment: Readonly<Record<string, string>>;
}

/**
 * Undefined: a shell has no way to say it. Its stdin, where the line comes from, is not for the program. A line that
 * arrives in part is no command: the brace is open.
 */
export function execLine({ file, args, environment }: ExecLine): string | undefined {
  const names = Object.keys(environment);
  const words = [file, ...args];
  if (file.startsWith('-') || !names.every((name) => /^[A-Za-z_]\w*$/.test(name))) return undefined; // read as an option
  if ([...words, ...Object.values(environment)].some((word) => word.includes('\0'))) return undefined;
  const exported = names.map((name) => `export ${name}=${quoted(environment[name]!)}; `);
  return `{ ${exported.join('')}exec ${words.map(quoted).join(' ')} </dev/null; }\n`;
}

/** Between single quotes every byte but the quote stands for itself. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
