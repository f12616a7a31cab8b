import { Args } from '@oclif/core';
import { BaseCommand } from '../../../src/cli/base-command.ts';
import { openClient } from '../../../src/cli/open-client.ts';
import { formatSchema } from '../../../src/cli/render/schema.ts';
import type { EventSchemaDocument } from '../../../src/client/contract/index.ts';

export default class Show extends BaseCommand<EventSchemaDocument> {
  static override description =
    'show one schema with its text: the newest of a type, one version of it, or by fingerprint';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> meter.Reading@1
type:         meter.Reading
version:      1
state:        reviewed
fingerprint:  5b1d09c2e4f7a386
sha256:       0d5a…
source:       local:1000
since:        2026-11-22 21:30:05Z

{"type":"record","name":"meter.Reading","fields":[{"name":"volts","type":"double","unit":"V"}]}`,
    '<%= config.bin %> <%= command.id %> 7f3c09b1d2e4a586 --json',
  ];
  static override args = {
    schema: Args.string({ description: 'TYPE, TYPE@VERSION, or a fingerprint (16 hex digits)', required: true }),
  };

  protected async execute(): Promise<EventSchemaDocument> {
    const { args, flags } = await this.parse(Show);
    const client = await openClient(flags);
    return client.schema(args.schema);
  }

  protected render(schema: EventSchemaDocument): void {
    this.print(formatSchema(schema));
  }
}
