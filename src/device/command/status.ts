import { textOf, type DeviceCommand } from '../device-command.ts';
import { deviceLayout } from '../layout.ts';
import { readDeviceStatus } from '../status/device-status.ts';
import { formatDeviceStatus } from '../status/format-status.ts';

/** As everywhere: nobody answers. */
const unreachable = 7;

export const status: DeviceCommand = {
  usage: '[--config FILE]',
  summary:
    'who this device is, whether the agent runs, its link, its certificate, its update; exit code 7 when no agent answers',
  options: { config: { type: 'string' } },
  async run(values, { version }) {
    const data = await readDeviceStatus(textOf(values, 'config') ?? deviceLayout.config, version);
    return { data, text: formatDeviceStatus(data, Date.now()), exitCode: 'fault' in data.agent ? unreachable : 0 };
  },
};
