import { BaseCommand } from '../../../src/cli/base-command.ts';
import { openClient } from '../../../src/cli/open-client.ts';
import { formatSchemas } from '../../../src/cli/render/schema.ts';
import { stdoutOption } from '../../../src/cli/terminal.ts';
import type { SchemaList } from '../../../src/client/contract/index.ts';

export default class List extends BaseCommand<SchemaList> {
  static override description = `list the schemas of event types: what was registered, what devices told, and what is missing
A schema that only a device told is unreviewed: its events are read, as they were written, until you register one of the type. Parked events have a schema that nobody knows here yet: they are kept, the device was asked, and they can be read as soon as it is known.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %>
TYPE           VERSION  STATE       FINGERPRINT       SOURCE         SINCE
meter.Reading        1  reviewed    5b1d09c2e4f7a386  local:1000     3d4h ago
meter.Reading        -  unreviewed  7f3c09b1d2e4a586  device:gw-007  2m10s ago

PARKED            EVENTS  FIRST FROM  LAST    ASKED
02aa31b8c9d4e5f6     112  gw-009      4s ago  gw-009`,
    '<%= config.bin %> <%= command.id %> --json',
  ];

  protected async execute(): Promise<SchemaList> {
    const { flags } = await this.parse(List);
    const client = await openClient(flags);
    return client.schemas();
  }

  protected render(list: SchemaList): void {
    this.print(formatSchemas(list, Date.now(), stdoutOption()));
  }
}
