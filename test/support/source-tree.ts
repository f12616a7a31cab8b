/** The source tree as a graph: files, what each imports, and what it says. Read from the files themselves. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { top } from './cli.ts';

export interface SourceFile {
  /** Relative to the checkout, with slashes: `src/pki/key.ts`. */
  path: string;
  text: string;
  /** The text without comments and string contents, for rules on code. */
  code: string;
  /** Relative imports as paths like `path`. */
  imports: string[];
  /** Everything else that is loaded when the file runs: `node:fs`, `execa`. Imports of types alone are left out. */
  packages: string[];
}

const importPattern =
  /(?:^|\n)\s*(?:import|export)\b(?<type>\s+type\b)?[^;'"]*?\bfrom\s*'(?<from>[^']+)'|(?:^|\n)\s*import\s*'(?<bare>[^']+)'|\bimport\(\s*'(?<dynamic>[^']+)'/g;

export function readSourceTree(patterns: string[]): SourceFile[] {
  return globSync(patterns, { cwd: top })
    .map((path) => path.replaceAll('\\', '/'))
    .sort()
    .map((path) => {
      const text = readFileSync(join(top, path), 'utf8');
      const found = [...withoutComments(text).matchAll(importPattern)].map(({ groups = {} }) => ({
        name: groups['from'] ?? groups['bare'] ?? groups['dynamic'] ?? '',
        isType: groups['type'] !== undefined,
      }));
      const relative = found.filter(({ name }) => name.startsWith('.'));
      const packages = found.filter(({ name, isType }) => !name.startsWith('.') && !isType);
      return {
        path,
        text,
        code: withoutComments(text).replace(/'[^'\n]*'|"[^"\n]*"/g, "''"),
        imports: relative.map(({ name }) => normalize(join(dirname(path), name))),
        packages: packages.map(({ name }) => name),
      };
    });
}

/** Comments go; a `//` inside a string (a URL) stays, because it has a quote or a colon before it. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[\s;{}(,])\/\/.*$/gm, '$1');
}

/** The folder below src/ that a file belongs to; `commands`, or `` for the files directly in src/. */
export function areaOf(path: string): string {
  const [first = '', second = '', third] = path.split('/');
  if (first === 'commands') return 'commands';
  return third === undefined ? '' : second;
}

/** Every cycle of the graph that starts at its alphabetically first file, as `a → b → a`. */
export function findCycles(files: readonly SourceFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const done = new Set<string>();
  const cycles = new Set<string>();
  const visit = (path: string, trail: string[]) => {
    const at = trail.indexOf(path);
    if (at >= 0) {
      const ring = trail.slice(at);
      const start = ring.indexOf([...ring].sort()[0] as string);
      const turned = [...ring.slice(start), ...ring.slice(0, start)];
      cycles.add([...turned, turned[0]].join(' → '));
      return;
    }
    if (done.has(path)) return;
    for (const next of byPath.get(path)?.imports ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const { path } of files) visit(path, []);
  return [...cycles].sort();
}
