/**
 * What every command shares: `--json`, `--fleet-dir`, and one contract: `execute()` returns the data (that is the
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
    'fleet-dir': Flags.directory({
      description: 'the fleet to work on; by default the nearest parent folder with a coordinator.yaml',
      env: 'FLOTILLA_FLEET_DIR',
      helpGroup: 'GLOBAL',
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

  protected get json(): boolean {
    const end = this.argv.indexOf('--');
    return (end < 0 ? this.argv : this.argv.slice(0, end)).includes('--json');
  }

  protected print(text: string): void {
    process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  }

  /** One NDJSON row of a streaming command. */
  protected emit(row: unknown): void {
    process.stdout.write(`${JSON.stringify(row)}\n`);
  }

  async run(): Promise<void> {
    const data = await this.execute();
    const streams = (this.constructor as typeof BaseCommand).streams;
    if (!this.json) this.render(data);
    else if (!streams) this.print(JSON.stringify(data));
    process.exitCode = this.exitCode(data);
  }

  protected override async catch(error: Error): Promise<void> {
    reportAndExit(error, this.json);
  }
}
