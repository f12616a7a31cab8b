/**
 * What every command shares: `--json`, `--fleet-dir`, `--context`, and one contract: `execute()` returns the data (that is the
 * `--json` output), `render()` shows it to a person. A command that streams sets `static streams = true` and writes
 * NDJSON itself through `this.emit`.
 */
import { Command, Flags } from '@oclif/core';
import { ExitCode } from './exit-code.ts';
import { reportAndExit } from './report-error.ts';

export abstract class BaseCommand<Data> extends Command {
  /** True for commands whose --json output is NDJSON, one document a line. */
  static streams = false;

  static override baseFlags = {
    json: Flags.boolean({ description: 'print one JSON document on stdout and nothing else', helpGroup: 'GLOBAL' }),
    // Neither is filled from the environment by oclif: a flag that is typed is stronger than any variable.
    'fleet-dir': Flags.directory({
      description: 'the fleet to work on; or FLOTILLA_FLEET_DIR, or the nearest parent folder with a coordinator.yaml',
      helpGroup: 'GLOBAL',
    }),
    context: Flags.string({
      description: 'the coordinator to talk to, of `flotilla context list`; or FLOTILLA_CONTEXT',
      helpGroup: 'GLOBAL',
      helpValue: 'NAME',
    }),
  };

  /** Does the work; what it returns is the --json output. Throw FlotillaError for everything that goes wrong. */
  protected abstract execute(): Promise<Data>;

  /** Shows the data to a person: stdout through `this.print`. */
  protected abstract render(data: Data): void;

  /** The exit code for data that was returned, for commands where "it ran" is not yet "it succeeded". */
  protected exitCode(_data: Data): ExitCode {
    return ExitCode.ok;
  }

  /** Overridden by commands that stream with a flag only. */
  protected get streaming(): boolean {
    return (this.constructor as typeof BaseCommand).streams;
  }

  protected get json(): boolean {
    return asksForJson(this.argv);
  }

  protected print(text: string): void {
    process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  }

  /** Progress and advice for a person, on stderr; never with --json, so that stderr there means trouble. */
  protected note(text: string): void {
    if (!this.json) process.stderr.write(`${text}\n`);
  }

  /** One NDJSON row of a streaming command. */
  protected emit(row: unknown): void {
    process.stdout.write(`${JSON.stringify(row)}\n`);
  }

  async run(): Promise<void> {
    const data = await this.execute();
    if (!this.json) this.render(data);
    else if (!this.streaming) this.print(JSON.stringify(data));
    process.exitCode = this.exitCode(data);
  }

  /**
   * What was not typed is missing. oclif would take it from standard input, which belongs to whoever runs the command:
   * the rest of a script, the list that a loop reads.
   */
  override async init(): Promise<void> {
    await super.init();
    for (const arg of Object.values(this.ctor.args)) arg.ignoreStdin = true;
  }

  protected override async catch(error: Error): Promise<void> {
    reportAndExit(error, this.json);
  }
}

/** True when --json stands before a `--`; behind it, it belongs to a device's command. */
export function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end < 0 ? argv : argv.slice(0, end)).includes('--json');
}
