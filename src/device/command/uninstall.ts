import { FlotillaError } from '../../error.ts';
import { uninstallAgent } from '../install/uninstall.ts';
import { textOf, type DeviceCommand } from '../device-command.ts';
import { formatSteps } from '../format-steps.ts';
import { initOf } from './install.ts';

export const uninstall: DeviceCommand = {
  usage: '[--purge --yes] [--prefix DIR] [--init KIND] [--dry-run]',
  summary: 'end the service and remove it; --purge: configuration, identity and state as well, with no way back',
  options: {
    purge: { type: 'boolean' },
    yes: { type: 'boolean' },
    prefix: { type: 'string' },
    init: { type: 'string' },
    'dry-run': { type: 'boolean' },
  },
  async run(values) {
    const [purge, dryRun] = [values['purge'] === true, values['dry-run'] === true];
    if (purge && !dryRun && values['yes'] !== true) {
      throw new FlotillaError('refused', 'confirmation-needed', "--purge removes the device's key and its log", {
        suggestion: 'look first: --dry-run; then add --yes',
      });
    }
    const prefix = textOf(values, 'prefix');
    const init = initOf(values);
    const data = await uninstallAgent({
      purge,
      dryRun,
      ...(prefix === undefined ? {} : { prefix }),
      ...(init === undefined ? {} : { init }),
    });
    return { data, text: formatSteps(data) };
  },
};
