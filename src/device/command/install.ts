import { resolve } from 'node:path';
import { loadAgentConfig } from '../../config/load-agent-config.ts';
import { openDoor } from '../../door/index.ts';
import { FlotillaError } from '../../error.ts';
import { initKinds, type InitKind } from '../init/init-system.ts';
import { installAgent } from '../install/install.ts';
import { textOf, type CommandOutcome, type DeviceCommand, type Values } from '../device-command.ts';
import { formatSteps } from '../format-steps.ts';
import { afterInstall, formatInstallState, installBundle, installExitCode } from '../install-bundle.ts';
import { deviceLayout } from '../layout.ts';

export const install: DeviceCommand = {
  usage:
    '[BUNDLE] [--config FILE [--in-place]] [--runtime FILE] [--certificate FILE --authority FILE] [--replace-identity] [--prefix DIR] [--init KIND] [--no-start] [--dry-run]',
  summary:
    'make the agent a service of this machine; a second time it changes nothing, a failure leaves nothing; with a BUNDLE (a .fw): install that firmware, by the agent that runs',
  options: {
    config: { type: 'string' },
    'in-place': { type: 'boolean' },
    runtime: { type: 'string' },
    certificate: { type: 'string' },
    authority: { type: 'string' },
    'replace-identity': { type: 'boolean' },
    prefix: { type: 'string' },
    init: { type: 'string' },
    'no-start': { type: 'boolean' },
    'dry-run': { type: 'boolean' },
  },
  takesFile: true,
  async run(values, { agentFile }) {
    const bundle = textOf(values, 'file');
    if (bundle !== undefined) return installFile(bundle, values);
    const init = initOf(values);
    const data = await installAgent({
      agentFile,
      ...given(values, 'config', 'runtime', 'certificate', 'authority', 'prefix'),
      ...(init === undefined ? {} : { init }),
      inPlace: values['in-place'] === true,
      replaceIdentity: values['replace-identity'] === true,
      noStart: values['no-start'] === true,
      dryRun: values['dry-run'] === true,
    });
    return { data, text: formatSteps(data) };
  },
};

async function installFile(bundle: string, values: Values): Promise<CommandOutcome> {
  const { events } = await loadAgentConfig(textOf(values, 'config') ?? deviceLayout.config);
  await using client = await openDoor({ socket: events.socket, timeoutMs: 30_000 });
  const said: string[] = [];
  const data = await installBundle(client, resolve(bundle), (update) => said.push(formatInstallState(update)));
  const exitCode = installExitCode(data);
  return { data, text: `${[...said, ...(exitCode === 0 ? [afterInstall] : [])].join('\n')}\n`, exitCode };
}

export function initOf(values: Values): InitKind | undefined {
  const text = textOf(values, 'init');
  if (text === undefined) return undefined;
  const kind = initKinds.find((one) => one === text);
  if (kind !== undefined) return kind;
  throw new FlotillaError('usage', 'usage', '--init names no init that is known', {
    seen: text,
    expected: initKinds.join(', '),
  });
}

function given<Name extends string>(values: Values, ...names: Name[]): { [N in Name]?: string } {
  return Object.fromEntries(
    names.flatMap((name) => (textOf(values, name) === undefined ? [] : [[name, textOf(values, name)]])),
  ) as { [N in Name]?: string };
}
