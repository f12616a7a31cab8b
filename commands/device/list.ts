import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatDevices } from '../../src/cli/render/device.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import { type Device, deviceStates } from '../../src/client/contract/index.ts';

export default class List extends BaseCommand<Device[]> {
  static override description = 'list devices';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> 'G@site:harbour'
DEVICE  STATE     LINK       SINCE      DATA                  VERSION  SLOT  ADDRESS          TAGS
gw-001  accepted  connected  3m20s ago  now                   1.0.0    a     192.0.2.7:50112  ring=canary
gw-002  accepted  offline    2h5m ago   2h5m ago, 120 behind  1.0.0    a     192.0.2.8:41844  -
2 devices, 1 connected`,
    '<%= config.bin %> <%= command.id %> --state pending --json',
  ];
  static override args = {
    selector: Args.string({ description: 'only devices that match; all when left out' }),
  };
  static override flags = {
    state: Flags.string({ description: 'only devices in this state', options: [...deviceStates] }),
  };

  protected async execute(): Promise<Device[]> {
    const { args, flags } = await this.parse(List);
    const client = await openClient(flags);
    return client.devices(defined({ selector: args.selector, state: flags.state }));
  }

  protected render(devices: Device[]): void {
    this.print(formatDevices(devices, Date.now(), stdoutOption()));
  }
}
