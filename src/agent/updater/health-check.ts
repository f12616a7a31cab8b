import type { HealthResult } from '../../protocol/event.ts';
import { runBounded } from '../machine/run-bounded.ts';

export interface HealthCheck {
  name: string;
  command: readonly string[];
  timeoutMs: number;
}

const keptOutput = 1_024;
const maxOutputBytes = 65_536;

/** Runs the product's checks one after the other; all of them, so that a report names everything that is wrong. */
export async function runHealthChecks(checks: readonly HealthCheck[], signal?: AbortSignal): Promise<HealthResult[]> {
  const results: HealthResult[] = [];
  for (const { name, command, timeoutMs } of checks) {
    signal?.throwIfAborted();
    const result = await runBounded({ argv: command, timeoutMs, maxOutputBytes, ...(signal ? { signal } : {}) });
    signal?.throwIfAborted();
    const said = [
      result.stdout,
      result.stderr,
      result.message,
      result.end === 'timed-out' ? `no end within ${timeoutMs} ms` : '',
    ];
    const output = said.filter(Boolean).join('\n').slice(-keptOutput);
    results.push({
      name,
      ok: result.end === 'exited' && result.exitCode === 0,
      durationMs: result.durationMs,
      ...(result.exitCode === undefined ? {} : { exitCode: result.exitCode }),
      ...(output === '' ? {} : { output }),
    });
  }
  return results;
}
