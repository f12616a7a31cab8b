/** What a program does to one file, by strace: its writes with their bytes, and its syncs, in the order of the kernel. */
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { execa } from 'execa';

export interface TracedWrite {
  offset: number;
  bytes: Buffer;
  /** Places in the trace where the call began and where it had returned. */
  start: number;
  end: number;
}

export interface TracedSync {
  start: number;
  end: number;
}

export interface DiskTrace {
  writes: TracedWrite[];
  syncs: TracedSync[];
}

const traced = 'write,writev,pwrite64,pwritev,pwritev2,ftruncate,fallocate,mmap,sync_file_range,fsync,fdatasync';
/** Longer than any write of the engine. */
const maxStringBytes = 4 * 1024 * 1024;

/** Runs the program under strace; it must do well. `logPath` is a scratch file. */
export async function traceDisk(argv: readonly string[], diskPath: string, logPath: string): Promise<DiskTrace> {
  const strace = [
    '-f',
    '-q',
    '-xx',
    '-s',
    String(maxStringBytes),
    '-P',
    diskPath,
    '-e',
    `trace=${traced}`,
    '-o',
    logPath,
  ];
  await execa('strace', [...strace, ...argv]);
  try {
    const lines = createInterface({ input: createReadStream(logPath, 'latin1'), crlfDelay: Infinity });
    return await readTrace(lines);
  } finally {
    await rm(logPath, { force: true });
  }
}

/**
 * Lines are `PID call(arguments) = result`, or in two halves when another thread came between:
 * `PID call(arguments <unfinished ...>` and `PID <... call resumed>) = result`.
 */
export async function readTrace(lines: AsyncIterable<string>): Promise<DiskTrace> {
  const trace: DiskTrace = { writes: [], syncs: [] };
  const begun = new Map<string, { call: string; start: number }>();
  let place = 0;
  for await (const line of lines) {
    place++;
    const [, pid = '', text = ''] = /^(\d+) +(.*)$/s.exec(line) ?? [];
    if (text.startsWith('+++') || text.startsWith('---')) continue;
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/s.exec(text);
    const first = begun.get(pid);
    if (text.endsWith(' <unfinished ...>')) {
      begun.set(pid, { call: text.slice(0, -' <unfinished ...>'.length), start: place });
    } else if (resumed === null) {
      addCall(trace, text, { start: place, end: place });
    } else if (first === undefined) {
      throw new Error(`strace: line ${place} resumes a call that did not begin`);
    } else {
      begun.delete(pid);
      addCall(trace, first.call + resumed[1]!, { start: first.start, end: place });
    }
  }
  if (begun.size > 0) throw new Error('strace: a call did not return');
  return trace;
}

function addCall(trace: DiskTrace, text: string, span: TracedSync): void {
  const failed = / = -1 /.test(text.slice(-200));
  const write = /^pwrite64\(\d+, "((?:\\x[0-9a-f]{2})*)", (\d+), (\d+)\) += (\d+)$/s.exec(text);
  if (write !== null) {
    const [, hex = '', length, offset, written] = write;
    const bytes = Buffer.from(hex.replaceAll('\\x', ''), 'hex');
    if (bytes.length !== Number(length)) throw new Error(`strace: ${bytes.length} of ${length} bytes of a write`);
    trace.writes.push({ offset: Number(offset), bytes: bytes.subarray(0, Number(written)), ...span });
  } else if (/^f(data)?sync\(\d+\) += 0$/.test(text)) {
    trace.syncs.push(span);
  } else if (!failed) {
    // What is not understood would make the images wrong without anybody seeing it.
    throw new Error(`strace: a call that this recorder does not know: ${text.slice(0, 100)}`);
  }
}
