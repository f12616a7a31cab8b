import { open } from 'node:fs/promises';

const maxLineBytes = 256;

/**
 * How a script is started: as the kernel would by its first line, but without the right to execute, which a data
 * partition that is mounted `noexec` does not give. Undefined: there is no `#!` line.
 */
export async function interpreterOf(path: string): Promise<string[] | undefined> {
  await using file = await open(path, 'r');
  const { buffer, bytesRead } = await file.read(Buffer.alloc(maxLineBytes), 0, maxLineBytes, 0);
  const text = buffer.toString('utf8', 0, bytesRead);
  const line = text.split('\n', 1)[0]!;
  if (!line.startsWith('#!') || line.length === text.length) return undefined;
  const [, interpreter, argument] = /^#![ \t]*(\S+)(?:[ \t]+(.*?))?[ \t\r]*$/.exec(line) ?? [];
  if (interpreter === undefined) return undefined;
  return argument === undefined || argument === '' ? [interpreter] : [interpreter, argument];
}
