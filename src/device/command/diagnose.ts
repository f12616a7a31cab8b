import { textOf, type DeviceCommand } from '../device-command.ts';
import { diagnose as examine } from '../diagnose/diagnose.ts';
import { formatDiagnosis } from '../diagnose/format-diagnosis.ts';
import { putSupportBundle } from '../diagnose/support-bundle.ts';
import { deviceLayout } from '../layout.ts';

/** As everywhere: something that was looked at is bad. */
const someBad = 4;

export const diagnose: DeviceCommand = {
  usage: '[--config FILE] [--bundle FILE]',
  summary: 'network, name, port, TLS, certificate, clock, disk, permissions, log: what is wrong and how to mend it',
  options: { config: { type: 'string' }, bundle: { type: 'string' } },
  async run(values, { version }) {
    const config = textOf(values, 'config') ?? deviceLayout.config;
    const data = await examine(config, version, Date.now());
    const bundle = textOf(values, 'bundle');
    if (bundle !== undefined) await putSupportBundle(bundle, config, data);
    const text =
      formatDiagnosis(data) + (bundle === undefined ? '' : `${bundle}: for whoever helps; no secret is in it\n`);
    return { data, text, exitCode: data.ok ? 0 : someBad };
  },
};
