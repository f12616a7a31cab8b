/** Programs of the device's owner that run at a state of an update: `<directory>/<state>.d/*`, in the order of names. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { HookResult } from '../../protocol/event.ts';
import { listExecutables } from '../machine/list-executable.ts';
import { runBounded } from '../machine/run-bounded.ts';
import type { Update } from './update.ts';

/** "Ask me again", as state scripts of Mender say it. */
const laterExitCode = 21;
const keptOutput = 1_024;
const maxOutputBytes = 65_536;
const maxNameLength = 64;
/** Of one record. */
const keptResults = 16;

export function listHooks(directory: string, { state }: Pick<Update, 'state'>): Promise<string[]> {
  return listExecutables(folderOf(directory, state));
}

/** Never throws for what the hook does. */
export async function runHook(
  name: string,
  update: Update,
  option: { directory: string; timeoutSeconds: number; signal?: AbortSignal },
): Promise<HookResult> {
  const { directory, timeoutSeconds, signal } = option;
  const folder = folderOf(directory, update.state);
  const path = join(folder, name);
  const about = { state: update.state, name: name.slice(0, maxNameLength) };
  const unsafe = await writableByAll(folder, path);
  if (unsafe !== undefined) return { ...about, outcome: 'failed', durationMs: 0, output: unsafe };
  const result = await runBounded({
    argv: [path],
    timeoutMs: timeoutSeconds * 1_000,
    maxOutputBytes,
    environment: environmentOf(update),
    ...(signal ? { signal } : {}),
  });
  const { end, exitCode, durationMs } = result;
  const said = [
    result.stdout,
    result.stderr,
    result.message,
    result.signal === undefined ? '' : `ended by ${result.signal}`,
    end === 'timed-out' ? `no end within ${timeoutSeconds} s` : '',
  ];
  const output = said.filter(Boolean).join('\n').slice(-keptOutput);
  const outcome = end !== 'exited' ? 'failed' : exitCode === 0 ? 'ok' : exitCode === laterExitCode ? 'later' : 'failed';
  return {
    ...about,
    outcome,
    durationMs,
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(output === '' ? {} : { output }),
  };
}

/** What the record keeps: of a hook that is asked again and again, the last answer. */
export function withHookResult(results: readonly HookResult[] | undefined, result: HookResult): HookResult[] {
  const others = (results ?? []).filter(
    ({ state, name, outcome }) => outcome !== 'later' || state !== result.state || name !== result.name,
  );
  return [...others, result].slice(-keptResults);
}

function folderOf(directory: string, state: string): string {
  return join(directory, `${state}.d`);
}

/** What everybody may change must not run with the rights of the agent. */
async function writableByAll(...paths: string[]): Promise<string | undefined> {
  for (const path of paths) {
    const { mode } = await stat(path);
    if ((mode & 0o002) !== 0) return `not run: everybody may write to ${path}`;
  }
  return undefined;
}

function environmentOf({ state, rolloutId, bundle, before, attempts, reason, after }: Update): Record<string, string> {
  return {
    FLOTILLA_UPDATE_STATE: state,
    FLOTILLA_UPDATE_ATTEMPT: String(attempts[state] ?? 1),
    FLOTILLA_UPDATE_ROLLOUT: rolloutId,
    FLOTILLA_UPDATE_BUNDLE: bundle.bundleUuid,
    FLOTILLA_UPDATE_VERSION: bundle.version,
    FLOTILLA_UPDATE_FROM_BUNDLE: before.bundleUuid ?? '',
    FLOTILLA_UPDATE_FROM_VERSION: before.version ?? '',
    FLOTILLA_UPDATE_FROM_SLOT: before.slot ?? '',
    FLOTILLA_UPDATE_SLOT: after?.slot ?? '',
    FLOTILLA_UPDATE_REASON: reason?.code ?? '',
  };
}
