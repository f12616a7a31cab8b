import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../../src/cli/base-command.ts';
import { checkSchemaFiles, type SchemaReport } from '../../../src/cli/check-schema-files.ts';
import { ExitCode } from '../../../src/cli/exit-code.ts';
import type { TargetFlags } from '../../../src/cli/find-endpoint.ts';
import { openClient } from '../../../src/cli/open-client.ts';
import { readSchemaFiles } from '../../../src/cli/read-schema-files.ts';
import { formatSchemaReport } from '../../../src/cli/render/schema.ts';
import { stdoutOption } from '../../../src/cli/terminal.ts';
import type { SchemaList } from '../../../src/client/contract/index.ts';
import { FlotillaError } from '../../../src/error.ts';

export default class Check extends BaseCommand<SchemaReport> {
  static override description = `say whether schemas may be registered, and change nothing: for a test before they go out
Inside a fleet each is compared with every registered version of its type, and with the files before it; outside of one, or with --offline, the files are compared with each other alone, in the order given (of a folder by name). Every pair is checked both ways.

Exit codes: 0 all compatible, 2 a file that is no schema, 4 some are not compatible, 7 the coordinator does not answer.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> schemas/ --offline
bad  meter.Reading, field flow: its unit changed from "l/h" to "m3/h": the same bytes would mean something else
      of:   schemas/reading.v1.avsc, and schemas/reading.v2.avsc
      try:  leave the field as it is, with a default, and add a new field for the new meaning
2 schemas compared with each other: not compatible`,
    '<%= config.bin %> <%= command.id %> reading.avsc --json',
  ];
  static override strict = false;
  static override args = {
    file: Args.string({ description: 'an .avsc file, or a folder of them; as many as you like', required: true }),
  };
  static override flags = { offline: Flags.boolean({ description: 'compare the files with each other alone' }) };

  protected async execute(): Promise<SchemaReport> {
    const { argv, flags } = await this.parse(Check);
    const files = await readSchemaFiles(argv as string[]);
    return checkSchemaFiles(files, flags.offline ? undefined : await this.#stored(flags));
  }

  /** What is registered; undefined where there is no fleet to ask. */
  async #stored(flags: TargetFlags): Promise<SchemaList | undefined> {
    try {
      const client = await openClient(flags);
      return await client.schemas({ text: true });
    } catch (error) {
      const asked = flags['fleet-dir'] ?? process.env['FLOTILLA_FLEET_DIR'];
      if (asked || !(error instanceof FlotillaError) || error.code !== 'fleet-not-found') throw error;
      this.note('there is no fleet here: the files are compared with each other alone');
      return undefined;
    }
  }

  protected render(report: SchemaReport): void {
    this.print(formatSchemaReport(report, stdoutOption()));
  }

  protected override exitCode({ ok }: SchemaReport): ExitCode {
    return ok ? ExitCode.ok : ExitCode.someFailed;
  }
}
