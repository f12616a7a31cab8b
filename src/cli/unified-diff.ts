/** Lines of context around a change. */
const contextLines = 3;
/** Beyond this many differing lines it is no difference any more but another text. */
const maxEdits = 2_000;

type Edit = { kind: ' ' | '-' | '+'; line: string };

/** The lines of a unified diff without its two head lines; empty when both are the same. */
export function unifiedDiff(before: string, after: string): string[] {
  const edits = compareLines(linesOf(before), linesOf(after));
  const changed = edits.flatMap(({ kind }, at) => (kind === ' ' ? [] : [at]));
  const hunks: { from: number; to: number }[] = [];
  for (const at of changed) {
    const last = hunks.at(-1);
    const from = Math.max(0, at - contextLines);
    const to = Math.min(edits.length, at + contextLines + 1);
    if (last !== undefined && from <= last.to) last.to = to;
    else hunks.push({ from, to });
  }
  return hunks.flatMap(({ from, to }) => [
    headOf(edits, from, to),
    ...edits.slice(from, to).map(({ kind, line }) => `${kind}${line}`),
  ]);
}

function headOf(edits: readonly Edit[], from: number, to: number): string {
  const count = (kind: '-' | '+', start: number, end: number): number =>
    edits.slice(start, end).filter((edit) => edit.kind === ' ' || edit.kind === kind).length;
  const range = (kind: '-' | '+'): string => {
    const length = count(kind, from, to);
    // An empty range names the line before it.
    return `${count(kind, 0, from) + (length === 0 ? 0 : 1)}${length === 1 ? '' : `,${length}`}`;
  };
  return `@@ -${range('-')} +${range('+')} @@`;
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

/** The shortest way from one to the other, after Myers (1986): O(ND) in time and in the memory of its trace. */
function compareLines(before: readonly string[], after: readonly string[]): Edit[] {
  const limit = Math.min(maxEdits, before.length + after.length);
  /** By diagonal: how far into `before` one comes with d edits. */
  let reach = new Map<number, number>([[1, 0]]);
  const trace: Map<number, number>[] = [];
  for (let d = 0; d <= limit; d += 1) {
    trace.push(reach);
    reach = new Map(reach);
    for (let k = -d; k <= d; k += 2) {
      let x = goesDown(reach, k, d) ? (reach.get(k + 1) ?? 0) : (reach.get(k - 1) ?? 0) + 1;
      while (x < before.length && x - k < after.length && before[x] === after[x - k]) x += 1;
      reach.set(k, x);
      if (x >= before.length && x - k >= after.length) return walkBack(before, after, trace, d);
    }
  }
  return [...before.map((line): Edit => ({ kind: '-', line })), ...after.map((line): Edit => ({ kind: '+', line }))];
}

function goesDown(reach: ReadonlyMap<number, number>, k: number, d: number): boolean {
  return k === -d || (k !== d && (reach.get(k - 1) ?? 0) < (reach.get(k + 1) ?? 0));
}

function walkBack(
  before: readonly string[],
  after: readonly string[],
  trace: readonly ReadonlyMap<number, number>[],
  last: number,
): Edit[] {
  const edits: Edit[] = [];
  let x = before.length;
  let y = after.length;
  for (let d = last; d > 0; d -= 1) {
    const reach = trace[d]!;
    const k = x - y;
    const down = goesDown(reach, k, d);
    const fromK = down ? k + 1 : k - 1;
    const fromX = reach.get(fromK) ?? 0;
    const fromY = fromX - fromK;
    for (const start = down ? fromX : fromX + 1; x > start;) {
      x -= 1;
      y -= 1;
      edits.push({ kind: ' ', line: before[x]! });
    }
    if (down) edits.push({ kind: '+', line: after[fromY]! });
    else edits.push({ kind: '-', line: before[fromX]! });
    x = fromX;
    y = fromY;
  }
  while (x > 0) edits.push({ kind: ' ', line: before[(x -= 1)]! });
  return edits.toReversed();
}
