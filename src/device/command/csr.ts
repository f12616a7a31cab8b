import { FlotillaError } from '../../error.ts';
import { textOf, type DeviceCommand } from '../device-command.ts';
import { makeDeviceRequest } from '../device-request.ts';

export const csr: DeviceCommand = {
  usage: '--id ID [--dir DIR]',
  summary: "make this device's key, and print the request for its certificate",
  options: { id: { type: 'string' }, dir: { type: 'string' } },
  async run(values) {
    const id = textOf(values, 'id');
    if (id === undefined) {
      throw new FlotillaError('usage', 'csr-id-missing', 'a request names a device', { expected: '--id ID' });
    }
    const request = await makeDeviceRequest(textOf(values, 'dir') ?? '.', id);
    return { data: request, text: request.csrPem };
  },
};
