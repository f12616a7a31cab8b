/** What a person and a script see of the same refusal. */
import { expect } from 'vitest';
import type { ErrorDocument } from '../../src/error.ts';
import type { Ran, RunOption } from './cli.ts';

type Cli = (args: string[], option?: RunOption) => Promise<Ran>;

export interface Refusal {
  exitCode: number;
  error: ErrorDocument & { problems?: { line: number; column: number; message: string }[] };
}

/** With --json a command that has to fail writes one document, {"error":{…}}, on stdout, and nothing on stderr. */
export async function refusal(cli: Cli, args: readonly string[], option?: RunOption): Promise<Refusal> {
  const end = args.includes('--') ? args.indexOf('--') : args.length;
  const ran = await cli(args.toSpliced(end, 0, '--json'), option);
  const what = `${args.join(' ')}\n${ran.stdout}`;
  expect(ran.stderr, what).toBe('');
  const document = ran.json<{ error: Refusal['error'] }>();
  expect(Object.keys(document), what).toEqual(['error']);
  expect(document.error.code, what).not.toBe('internal');
  expect(document.error.message, what).not.toMatch(/^$|[\n.]$|at .*:\d+:\d+/);
  return { error: document.error, exitCode: ran.exitCode };
}

/**
 * The same command as typed and then with --json. Typed, stdout is empty and stderr is one error that says the same;
 * `text` is stderr.
 */
export async function refusalAsTyped(
  cli: Cli,
  args: readonly string[],
  option?: RunOption,
): Promise<Refusal & { text: string }> {
  const typed = await cli([...args], option);
  const { error, exitCode } = await refusal(cli, args, option);
  const what = args.join(' ');
  expect(typed.exitCode, what).toBe(exitCode);
  expect(typed.stdout, what).toBe('');
  expect(typed.stderr.match(/^Error: /gm), what).toHaveLength(1);
  expect(typed.stderr, what).toContain(error.message);
  if (error.suggestion !== undefined) expect(typed.stderr, what).toContain(`  try:      ${error.suggestion}`);
  return { error, exitCode, text: typed.stderr };
}
