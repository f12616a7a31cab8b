import { loadAgentConfig } from '../../config/load-agent-config.ts';
import { openDoor } from '../../door/index.ts';
import { textOf, type DeviceCommand } from '../device-command.ts';
import { deviceLayout } from '../layout.ts';

export const receipt: DeviceCommand = {
  usage: '[--config FILE]',
  summary:
    'how updates from files have ended, signed by this device: `flotilla device receipt FILE` takes what it prints',
  options: { config: { type: 'string' } },
  async run(values) {
    const { events } = await loadAgentConfig(textOf(values, 'config') ?? deviceLayout.config);
    await using client = await openDoor({ socket: events.socket, timeoutMs: 10_000 });
    const receipts = await client.updateReceipts();
    return { data: receipts, text: `${JSON.stringify(receipts, null, 2)}\n` };
  },
};
