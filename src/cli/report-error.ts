import { Errors } from '@oclif/core';
import { FlotillaError, systemErrorCode } from '../error.ts';
import { ExitCode, exitCodeOf } from './exit-code.ts';
import { formatError } from './format-error.ts';

export { formatError };

/** Any thrown thing as a FlotillaError: oclif's parse errors are usage, a full disk is named, the rest is ours. */
export function asFlotillaError(error: unknown): FlotillaError {
  if (error instanceof FlotillaError) return error;
  if (error instanceof Errors.CLIError) {
    return new FlotillaError('usage', 'usage', plainMessage(error), {
      suggestion: 'see the command with --help',
      cause: error,
    });
  }
  const message = error instanceof Error ? error.message : String(error);
  if (systemErrorCode(error) === 'ENOSPC') {
    return new FlotillaError('failed', 'disk-full', `the disk is full: ${message}`, {
      suggestion: 'free some space and run the command again; nothing was left half-written',
      cause: error,
    });
  }
  return new FlotillaError('ours', 'internal', message, { cause: error });
}

/** oclif's message on one line, without its preambles. */
function plainMessage({ message }: Error): string {
  return (message.split('\nSee more help')[0] ?? '')
    .replace(/^The following errors? occurred:\s*/, '')
    .replace(/^Parsing (--\S+)\s+/, '$1: ')
    .replaceAll(/\s*\n\s*/g, ' ')
    .trim();
}

/** Last stop of the CLI: one JSON document on stdout with --json, else text on stderr; sets the exit code. */
export function reportAndExit(thrown: unknown, json: boolean): void {
  if (thrown instanceof Errors.ExitError) {
    process.exitCode = thrown.oclif.exit ?? ExitCode.ok;
    return;
  }
  const error = asFlotillaError(thrown);
  if (json) process.stdout.write(`${JSON.stringify({ error: error.toJSON() })}\n`);
  else process.stderr.write(formatError(error));
  process.exitCode = exitCodeOf(error.fault);
}
