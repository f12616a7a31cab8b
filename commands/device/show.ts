import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { formatDevice } from '../../src/cli/render/device.ts';
import type { Device } from '../../src/client/contract/index.ts';

export default class Show extends BaseCommand<Device> {
  static override description = 'show one device: state, link, what it runs, tags and grains';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gw-001
device:       gw-001
state:        accepted
link:         connected since 2026-11-22 21:30:05Z (3m20s ago)
data as of:   2026-11-22 21:33:25Z (now)
lag:          nothing waits on the device
address:      192.0.2.7:50112
agent:        0.1.0
version:      1.0.0
slot:         a
traffic:      4.1 KiB received, 2.2 KiB sent
tags:         ring=canary

grains:
  arch: arm64
  kernel:release: 6.6.31
  site: harbour`,
    '<%= config.bin %> <%= command.id %> gw-001 --json',
  ];
  static override args = { device: Args.string({ description: 'the id of the device', required: true }) };

  protected async execute(): Promise<Device> {
    const { args, flags } = await this.parse(Show);
    const client = await openClient(flags);
    return client.device(args.device);
  }

  protected render(device: Device): void {
    this.print(formatDevice(device, Date.now()));
  }
}
