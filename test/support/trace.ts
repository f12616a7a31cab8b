/** What processes have written anywhere, and started with which arguments, as the kernel saw it (strace). */
import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { execa, type Options } from 'execa';

export interface TracedCall {
  call: string;
  /** Of the file or socket that was written to; for an exec, the program. */
  path: string;
  bytes: Buffer;
  /** Of the trace: the name that `trace` was given. */
  process: string;
}

const calls = 'execve,write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,sendmmsg';

/** Starts a program and all that it starts under strace, one trace file a thread. */
export function trace(directory: string, name: string, command: readonly string[], option: Options) {
  const to = ['-o', join(directory, `${name}.trace`)];
  // Whole strings, in hex: what a secret looks like must not depend on how it is printed.
  const how = [
    '-ff',
    '-qq',
    '-xx',
    '-y',
    '-s',
    '4194304',
    '--seccomp-bpf',
    '-e',
    `trace=${calls}`,
    '-e',
    'signal=none',
  ];
  return execa('strace', [...how, ...to, ...command], { reject: false, stdin: 'ignore', ...option });
}

/** Ends the traced program, not its tracer, which takes no signals: the trace is whole. */
export async function stopTraced(tracer: ReturnType<typeof trace>): Promise<void> {
  const children = await readFile(`/proc/${tracer.pid}/task/${tracer.pid}/children`, 'utf8').catch(() => '');
  for (const pid of children.split(' ').filter((text) => text !== '')) process.kill(Number(pid), 'SIGTERM');
  await tracer;
}

export async function* readTraces(directory: string): AsyncGenerator<TracedCall> {
  for (const name of await readdir(directory)) {
    const lines = createInterface({ input: createReadStream(join(directory, name)), crlfDelay: Infinity });
    for await (const line of lines) {
      const call = /^(\w+)\(/.exec(line)?.[1];
      if (call === undefined) continue;
      const strings = [...line.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, hex = '']) => unescape(hex));
      const target = /^\w+\([0-9]+<((?:\\x[0-9a-f]{2}|[^>])*)>/.exec(line)?.[1];
      const path = target === undefined ? String(strings[0] ?? '') : unescape(target).toString();
      yield { call, path, bytes: Buffer.concat(strings), process: basename(name).split('.')[0] ?? '' };
    }
  }
}

/** `\x41\x42`; what is not escaped stands for itself. */
function unescape(text: string): Buffer {
  return text.startsWith('\\x') ? Buffer.from(text.replaceAll('\\x', ''), 'hex') : Buffer.from(text);
}
