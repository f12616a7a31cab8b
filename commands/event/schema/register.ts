import { Args } from '@oclif/core';
import { BaseCommand } from '../../../src/cli/base-command.ts';
import { openClient } from '../../../src/cli/open-client.ts';
import { readSchemaFiles } from '../../../src/cli/read-schema-files.ts';
import { formatRegistered } from '../../../src/cli/render/schema.ts';
import type { RegisteredSchemas } from '../../../src/client/contract/index.ts';

export default class Register extends BaseCommand<RegisteredSchemas> {
  static override description = `register Avro schemas of event types, so that their events can be read, whatever version a device writes
The full name of the record is the event type. Every version must read the events of every other one, so a new field needs a default, a field without one stays, and unit, scale and logical type never change. A schema that does not fit is refused with the field and the reason (exit code 6); of several files all are registered, or none. The same schema again changes nothing.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> schemas/reading.v2.avsc
registered: meter.Reading version 2 (7f3c09b1d2e4a586)`,
    `$ <%= config.bin %> <%= command.id %> reading.avsc
Error: meter.Reading, field phase: it is new and has no default: events of version 2 do not have it
  seen:     version 2, and reading.avsc
  expected: schemas of which each reads the events of every other
  try:      give the new field a default`,
  ];
  static override strict = false;
  static override args = {
    file: Args.string({ description: 'an .avsc file, or a folder of them; as many as you like', required: true }),
  };

  protected async execute(): Promise<RegisteredSchemas> {
    const { argv, flags } = await this.parse(Register);
    const schemas = await readSchemaFiles(argv as string[]);
    const client = await openClient(flags);
    return client.registerSchemas({ schemas });
  }

  protected render(registered: RegisteredSchemas): void {
    this.print(formatRegistered(registered));
  }
}
