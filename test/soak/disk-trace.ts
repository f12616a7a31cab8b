/** What a program does to files, by strace: its writes with their bytes, and its syncs, in the order of the kernel. */
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { execa } from 'execa';

export interface TracedWrite {
  offset: number;
  bytes: Buffer;
  /** The file ends at `offset` afterwards; there are no bytes. */
  truncates?: true;
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

/** Of several files of one program, on one line of places. */
export interface FileTraces {
  files: Map<string, DiskTrace>;
  /** Of files that are only appended to, what each call added and the place where it began. */
  appends: Map<string, { text: string; start: number }[]>;
  /** Of each place, milliseconds since 1970, where strace was asked for it; places count from 1. */
  timesMs: number[];
}

const fileCalls = 'write,writev,pwrite64,pwritev,pwritev2,ftruncate,fallocate,mmap,sync_file_range,fsync,fdatasync';
const traced = `${fileCalls},open,openat,creat,unlink,unlinkat,rename,renameat,renameat2`;
/** Longer than any write of the engine. */
const maxStringBytes = 4 * 1024 * 1024;

/** Runs the program under strace; it must do well. `logPath` is a scratch file. */
export async function traceDisk(argv: readonly string[], diskPath: string, logPath: string): Promise<DiskTrace> {
  await execa('strace', straceOf(argv, [diskPath], logPath));
  const { files } = await readLog(logPath);
  return files.get(diskPath) ?? { writes: [], syncs: [] };
}

export interface TraceOption {
  /** Of the program. */
  environment?: Readonly<Record<string, string>>;
  /** Files that are only appended to. */
  logs?: readonly string[];
}

/** Starts the program under strace; once it has ended, `traces` reads what it has done to these files. */
export function startTrace(
  argv: readonly string[],
  paths: readonly string[],
  logPath: string,
  { environment = {}, logs = [] }: TraceOption = {},
) {
  // Of the program alone: strace has to outlive what is killed by its environment.
  const set = Object.entries(environment).flatMap(([name, value]) => ['-E', `${name}=${value}`]);
  const child = execa('strace', [...set, ...straceOf(argv, [...paths, ...logs], logPath)], {
    reject: false,
    stdio: 'ignore',
  });
  return { child, traces: async (): Promise<FileTraces> => (await child, readLog(logPath, logs)) };
}

function straceOf(argv: readonly string[], paths: readonly string[], logPath: string): string[] {
  const files = paths.flatMap((path) => ['-P', path]);
  const form = ['-f', '--seccomp-bpf', '-q', '-y', '-ttt', '-xx', '-s', String(maxStringBytes)];
  return [...form, ...files, '-e', `trace=${traced}`, '-o', logPath, ...argv];
}

async function readLog(logPath: string, logs: readonly string[] = []): Promise<FileTraces> {
  try {
    const lines = createInterface({ input: createReadStream(logPath, 'latin1'), crlfDelay: Infinity });
    return await readTraces(lines, logs);
  } finally {
    await rm(logPath, { force: true });
  }
}

/** Of a trace of one file that strace did not name. */
export async function readTrace(lines: AsyncIterable<string>): Promise<DiskTrace> {
  return (await readTraces(lines)).files.get('') ?? { writes: [], syncs: [] };
}

/**
 * Lines are `PID TIME call(arguments) = result`, the time where it was asked for, or in two halves when another thread
 * came between: `PID call(arguments <unfinished ...>` and `PID <... call resumed>) = result`. A call that the death of
 * the program has cut short began, and never returned.
 */
export async function readTraces(lines: AsyncIterable<string>, logs: readonly string[] = []): Promise<FileTraces> {
  const appends = new Map(logs.map((path) => [path, []]));
  const traces: FileTraces = { files: new Map(), appends, timesMs: [0] };
  const begun = new Map<string, { call: string; start: number }>();
  let killed = false;
  for await (const line of lines) {
    const [, pid = '', seconds = '0', text = ''] = /^(\d+) +(?:(\d+\.\d+) )?(.*)$/s.exec(line) ?? [];
    traces.timesMs.push(Number(seconds) * 1_000);
    const place = traces.timesMs.length - 1;
    if (text.startsWith('+++ killed by SIGKILL')) killed = true;
    if (text.startsWith('+++') || text.startsWith('---')) continue;
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/s.exec(text);
    const first = begun.get(pid);
    if (text.endsWith(' <unfinished ...>')) {
      begun.set(pid, { call: text.slice(0, -' <unfinished ...>'.length), start: place });
    } else if (resumed === null) {
      addCall(traces, text, { start: place, end: place });
    } else if (first === undefined) {
      throw new Error(`strace: line ${place} resumes a call that did not begin`);
    } else {
      begun.delete(pid);
      addCall(traces, first.call + resumed[1]!, { start: first.start, end: place });
    }
  }
  if (begun.size > 0 && !killed) throw new Error('strace: a call did not return');
  return traces;
}

function addCall(traces: FileTraces, text: string, span: TracedSync): void {
  const failed = / = -1 /.test(text.slice(-200));
  if (failed || addName(traces, text, span)) return;
  const [, hexPath] = /^\w+\(\d+<([^>]*)>/.exec(text) ?? [];
  const path = hexPath === undefined ? '' : unhex(hexPath).toString();
  const trace = traceOf(traces, path);
  const call = text.replace(/^(\w+\(\d+)<[^>]*>/, '$1');
  const write = /^pwrite64\(\d+, "((?:\\x[0-9a-f]{2})*)", (\d+), (\d+)\) += (\d+)$/s.exec(call) ?? gathered(call);
  const truncate = /^ftruncate\(\d+, (\d+)\) += 0$/.exec(call);
  const appends = traces.appends.get(path);
  const append = /^write\(\d+, "((?:\\x[0-9a-f]{2})*)", \d+\) += \d+$/s.exec(call);
  if (write !== null) {
    const [, hex = '', length, offset, written] = write;
    const bytes = unhex(hex);
    if (bytes.length !== Number(length)) throw new Error(`strace: ${bytes.length} of ${length} bytes of a write`);
    trace.writes.push({ offset: Number(offset), bytes: bytes.subarray(0, Number(written)), ...span });
  } else if (truncate !== null) {
    trace.writes.push({ offset: Number(truncate[1]), bytes: Buffer.alloc(0), truncates: true, ...span });
  } else if (append !== null && appends !== undefined) {
    appends.push({ text: unhex(append[1]!).toString(), start: span.start });
  } else if (/^f(data)?sync\(\d+\) += 0$/.test(call)) {
    trace.syncs.push(span);
  } else if (!call.endsWith(' = ?')) {
    // What is not understood would make the images wrong without anybody seeing it.
    throw new Error(`strace: a call that this recorder does not know: ${call.slice(0, 100)}`);
  }
}

/** A call that takes a path: a file that begins anew, or is gone, which is an empty one here. */
function addName(traces: FileTraces, text: string, span: TracedSync): boolean {
  const [, call, hexPath = '', rest = ''] =
    /^(open|openat|unlink|unlinkat)\((?:AT_FDCWD(?:<[^>]*>)?, )?"([^"]*)"(.*)$/s.exec(text) ?? [];
  if (call === undefined) return false;
  const { writes } = traceOf(traces, unhex(hexPath).toString());
  if (call.startsWith('unlink') || rest.includes('O_TRUNC'))
    writes.push({ offset: 0, bytes: Buffer.alloc(0), truncates: true, ...span });
  return true;
}

function traceOf({ files }: FileTraces, path: string): DiskTrace {
  let trace = files.get(path);
  if (trace === undefined) files.set(path, (trace = { writes: [], syncs: [] }));
  return trace;
}

/** A write of several pieces of memory, as if it were one: call, bytes, length, offset, written. */
function gathered(call: string): string[] | null {
  const [, list, offset, written] = /^pwritev\(\d+, \[(.*)\], \d+, (\d+)\) += (\d+)$/s.exec(call) ?? [];
  const pieces = list
    ?.split('}, {')
    .map((each) => /^\{?iov_base="((?:\\x[0-9a-f]{2})*)", iov_len=(\d+)\}?$/.exec(each));
  if (pieces === undefined || !pieces.every((piece) => piece !== null)) return null;
  const length = pieces.reduce((sum, [, , bytes]) => sum + Number(bytes), 0);
  return [call, pieces.map(([, hex]) => hex).join(''), String(length), offset!, written!];
}

/** strace -xx writes strings, and on some versions paths, as \x00. */
function unhex(text: string): Buffer {
  return text.includes('\\x') ? Buffer.from(text.replaceAll('\\x', ''), 'hex') : Buffer.from(text);
}
