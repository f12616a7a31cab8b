import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { confirmTyped } from '../../src/cli/confirm.ts';
import { defined } from '../../src/cli/defined.ts';
import { eventFilterFlags, eventTimeFlags, readEventFilter } from '../../src/cli/event-filter.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { plural } from '../../src/cli/human.ts';
import { openClient } from '../../src/cli/open-client.ts';
import type { Redacted, RedactRequest } from '../../src/client/contract/index.ts';
import { FlotillaError } from '../../src/error.ts';

interface Outcome extends Redacted {
  dryRun: boolean;
}

export default class Redact extends BaseCommand<Outcome> {
  static override strict = false;
  static override description = `take key and payload out of events for good: a secret that was logged by mistake
The rows stay, with who took their content out, when, and why; so do the audit trail and an event coordinator.redacted that names the offsets. The bytes are overwritten in the database and its write-ahead log, in dead letters of the same events, and in the output of a job. What left before stays where it went: exports, consumers, backups, and the device's own log until it is overwritten there. Asks to type the number of events, or takes --yes.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> 9841 9842 --reason 'password in the log' --yes
redacted 2 events, offsets 9841 to 9842; their bytes are gone from the database`,
    `<%= config.bin %> <%= command.id %> --selector gw-007 --type 'app.log' --since 2h --reason 'token' --dry-run`,
  ];
  static override args = { offset: Args.string({ description: 'offsets, or a filter by flags' }) };
  static override flags = {
    ...eventFilterFlags,
    ...eventTimeFlags,
    reason: Flags.string({ description: 'why, for everybody who meets the gap', required: true }),
    'dry-run': Flags.boolean({ description: 'count, and change nothing' }),
    yes: Flags.boolean({ char: 'y', description: 'do not ask' }),
  };

  protected async execute(): Promise<Outcome> {
    const { argv, flags } = await this.parse(Redact);
    const filter = readEventFilter(flags, Date.now());
    const offsets = (argv as string[]).map(readOffset);
    const isFiltered = Object.keys(filter).length > 0;
    if (offsets.length > 0 === isFiltered) {
      throw new FlotillaError('usage', 'redact-what', 'say which events: offsets, or a filter, not both', {
        suggestion: 'flotilla event tail shows offsets',
      });
    }
    const client = await openClient(flags);
    const request: RedactRequest = {
      ...(isFiltered ? { filter: defined(filter) } : { offsets }),
      reason: flags.reason,
    };
    const found = await client.redact({ ...request, dryRun: true });
    if (found.events === 0) {
      throw new FlotillaError('none-matched', 'redact-none-matched', 'no event is left to redact', {
        suggestion: 'flotilla event tail with the same flags shows what matches',
      });
    }
    if (flags['dry-run']) return { ...found, dryRun: true };
    await confirmTyped({
      warning: `redacting ${describe(found)} can't be undone`,
      answer: String(found.events),
      yes: flags.yes,
      json: this.json,
    });
    return { ...(await client.redact({ ...request, expect: found.events })), dryRun: false };
  }

  protected render(outcome: Outcome): void {
    if (outcome.dryRun) return this.print(`would redact ${describe(outcome)}`);
    this.print(`redacted ${describe(outcome)}; ${outcome.erased ? erased : stillThere}`);
  }

  /** Taken out, but perhaps still to be found in the file: not yet a success. */
  protected override exitCode({ erased: isErased, dryRun }: Outcome): ExitCode {
    return isErased || dryRun ? ExitCode.ok : ExitCode.someFailed;
  }
}

const erased = 'their bytes are gone from the database';
const stillThere =
  "their bytes are still in the database's write-ahead log, which another reader holds: end it (a backup?), then redact any other event";

function describe({ events, firstOffset, lastOffset }: Redacted): string {
  const where = firstOffset === lastOffset ? `offset ${firstOffset}` : `offsets ${firstOffset} to ${lastOffset}`;
  return `${plural(events, 'event')}, ${where}`;
}

function readOffset(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new FlotillaError('usage', 'offset-malformed', 'an offset is a number from 1', { seen: JSON.stringify(text) });
}
