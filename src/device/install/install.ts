import { readFile, readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { AgentConfig } from '../../config/agent-config.ts';
import { parseAgentConfig } from '../../config/load-agent-config.ts';
import { readPackageAsset } from '../../config/package-asset.ts';
import { FlotillaError, systemErrorCode } from '../../error.ts';
import { ask, detectInit, initSystems, type InitKind, type InitSystem } from '../init/init-system.ts';
import { renderLauncher, renderService, serviceUser, writableFolders } from '../init/service-file.ts';
import { agentUser, deviceLayout, onDisk } from '../layout.ts';
import { findAccount, root, type Owner } from './account.ts';
import { fileStep, sha256Of } from './file-step.ts';
import { chooseRuntime } from './find-runtime.ts';
import { folderStep } from './folder-step.ts';
import { lockInstallation } from './install-lock.ts';
import { identitySteps } from './identity-step.ts';
import { linkStep } from './link-step.ts';
import { type Companion, placeConfig } from './place-config.ts';
import { isRunning, startStep } from './service-step.ts';
import { isEffect, takeSteps, type Step, type StepReport } from './step.ts';
import { userStep } from './user-step.ts';

export interface InstallOption {
  /** The one file. */
  agentFile: string;
  /** `/`, or the root of an image that is being made. */
  prefix?: string;
  /** The configuration to install; absent: the one that is installed. */
  config?: string;
  /** The service uses that file where it is; nothing is copied. */
  inPlace?: boolean;
  /** A Node to bring along. */
  runtime?: string;
  /** Instead of what the configuration names beside itself. */
  certificate?: string;
  authority?: string;
  replaceIdentity?: boolean;
  init?: InitKind;
  dryRun?: boolean;
  /** Everything but the start. */
  noStart?: boolean;
}

export interface Installed {
  init: InitKind;
  config: string;
  dryRun: boolean;
  /** Steps that had, or would have, an effect. */
  changes: number;
  steps: StepReport[];
}

/** Makes the agent a service of this machine. A second time it changes nothing and says so; a failure leaves nothing. */
export async function installAgent(option: InstallOption): Promise<Installed> {
  const { prefix = '/', dryRun = false } = option;
  if (prefix === '/' && process.getuid?.() !== 0 && !dryRun) {
    throw new FlotillaError('forbidden', 'install-root', 'only root can install a service', { suggestion: 'sudo' });
  }
  await using _ = prefix === '/' && !dryRun ? await lockInstallation() : undefined;
  const init = option.init === undefined ? await detectInit(prefix) : initSystems[option.init];
  const source = await readSource(option, prefix);
  const steps = await planInstall({ ...option, prefix, init, source });
  const wasRunning = prefix === '/' && (await isRunning(init));
  try {
    const reports = await takeSteps(steps, { dryRun });
    const changes = reports.filter(isEffect).length;
    return { init: init.kind, config: source.path, dryRun, changes, steps: reports };
  } catch (error) {
    if (!dryRun && prefix === '/') {
      if (init.reload) await ask(init.reload);
      if (wasRunning) await ask(init.start);
    }
    throw error;
  }
}

interface Source {
  /** Where it will be used, as the device sees it. */
  path: string;
  config: AgentConfig;
  /** To be written there; absent: it is there already. */
  text?: string;
  companions: Companion[];
  /** The identity beside the given file, in its own words. */
  identity: AgentConfig['identity'];
}

async function readSource({ config: given, inPlace = false }: InstallOption, prefix: string): Promise<Source> {
  const installed = onDisk(prefix, deviceLayout.config);
  const file = resolve(given ?? installed);
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new FlotillaError('usage', 'config-unreadable', `${file} can't be read`, {
      seen: systemErrorCode(cause) ?? String(cause),
      suggestion: given === undefined ? 'name the configuration to install: --config FILE' : 'check --config',
      cause,
    });
  });
  const asGiven = parseAgentConfig(text, file);
  if (inPlace || file === resolve(installed)) {
    const path = file === resolve(installed) ? deviceLayout.config : file;
    const config = parseAgentConfig(text, path);
    return { path, config, companions: [], identity: config.identity };
  }
  const placed = placeConfig(text, file);
  const config = parseAgentConfig(placed.text, deviceLayout.config);
  return { path: deviceLayout.config, config, ...placed, identity: asGiven.identity };
}

interface Plan extends Omit<InstallOption, 'init'> {
  prefix: string;
  init: InitSystem;
  source: Source;
}

async function planInstall(plan: Plan): Promise<Step[]> {
  const { prefix, init, source, agentFile } = plan;
  const { config } = source;
  const at = (path: string) => onDisk(prefix, path);
  const user = serviceUser(config);
  const asRoot = process.getuid?.() === 0;
  const theirs = async (): Promise<Owner | undefined> => {
    const owner = asRoot ? await findAccount(prefix, user) : undefined;
    if (owner === undefined || user !== 'root') return owner;
    return { uid: 0, gid: (await findAccount(prefix, agentUser))?.gid ?? 0 };
  };
  const ours = async (): Promise<Owner | undefined> => (asRoot ? root : undefined);
  /** Root's, readable for the agent's group. */
  const shared = async (): Promise<Owner | undefined> => {
    const owner = await theirs();
    return owner && { uid: 0, gid: owner.gid };
  };
  const folder = (path: string, mode: number, owner: () => Promise<Owner | undefined>, ownTree = false) =>
    folderStep({ path: at(path), mode, owner, ownTree });
  const runtime = await chooseRuntime(prefix, plan.runtime);
  const writable = writableFolders(config, source.path);
  const logFolder = init.kind === 'systemd' ? [] : [deviceLayout.log].filter((path) => !writable.includes(path));

  const steps: Step[] = [
    userStep(prefix, user === 'root' ? agentUser : user),
    folder(deviceLayout.programs, 0o755, ours),
  ];
  if (runtime.node === deviceLayout.runtime)
    steps.push(
      fileStep({ copyOf: runtime.copyOf ?? at(runtime.node) }, { path: at(runtime.node), mode: 0o755, owner: ours }),
    );
  steps.push(fileStep({ copyOf: agentFile }, { path: at(deviceLayout.agentFile), mode: 0o644, owner: ours }));
  const launcher = await renderLauncher(config, deviceLayout.agentFile, await sha256Of(agentFile));
  steps.push(fileStep({ text: launcher }, { path: at(deviceLayout.launcher), mode: 0o755, owner: ours }));
  const command = await renderCommand(runtime.node);
  steps.push(fileStep({ text: command }, { path: at(deviceLayout.command), mode: 0o755, owner: ours }));

  if (source.path === deviceLayout.config) steps.push(folder(deviceLayout.configuration, 0o750, shared));
  if (source.text !== undefined)
    steps.push(fileStep({ text: source.text }, { path: at(source.path), mode: 0o640, owner: shared }));
  for (const companion of source.companions) {
    for (const [from, to, mode] of await filesOf(companion))
      steps.push(fileStep({ copyOf: from }, { path: at(to), mode, owner: shared }));
  }
  for (const path of [...writable, ...logFolder]) steps.push(folder(path, 0o750, theirs, path === deviceLayout.data));
  const within = new Set([dirname(config.identity.key), config.state]);
  for (const path of within) {
    if (!writable.includes(path) && path !== dirname(source.path)) steps.push(folder(path, 0o700, theirs));
  }
  steps.push(...(await planIdentity(plan, at, theirs)));
  for (const { path, template, mode } of init.files) {
    const text = await renderService(template, {
      config,
      configPath: source.path,
      node: runtime.node,
      agentFile: deviceLayout.agentFile,
      systemdVersion: prefix === '/' ? await systemdVersion(init) : undefined,
    });
    steps.push(fileStep({ text }, { path: at(path), mode, owner: ours }));
  }
  for (const { path, target } of init.links) steps.push(linkStep(at(path), target));
  const held = prefix === '/' ? undefined : 'it is not of this machine';
  steps.push(
    startStep({
      init,
      certificate: at(config.identity.certificate),
      held: plan.noStart ? 'as it was asked for' : held,
    }),
  );
  return steps;
}

function planIdentity(
  plan: Plan,
  at: (path: string) => string,
  owner: () => Promise<Owner | undefined>,
): Promise<Step[]> {
  const { source, certificate, authority, replaceIdentity: replace = false } = plan;
  const { identity } = source.config;
  const to = { key: at(identity.key), certificate: at(identity.certificate), authority: at(identity.authority) };
  const from = {
    ...source.identity,
    ...(certificate === undefined ? {} : { certificate }),
    ...(authority === undefined ? {} : { authority }),
  };
  return identitySteps({ from, to, owner, replace });
}

async function renderCommand(node: string): Promise<string> {
  const text = await readPackageAsset('templates/agent/command.sh');
  return text.replace('@NODE@', node).replace('@AGENT@', deviceLayout.agentFile);
}

/** What is there of it: from, to, mode; programs stay programs. */
async function filesOf({ from, to, kind }: Companion): Promise<[string, string, number][]> {
  const found = await stat(from).catch(() => undefined);
  if (found === undefined) return [];
  if (kind === 'file') return [[from, to, 0o640]];
  const names = (await readdir(from)).filter((name) => !name.startsWith('.')).sort();
  const files = await Promise.all(names.map(async (name) => ({ name, file: await stat(join(from, name)) })));
  return files
    .filter(({ file }) => file.isFile())
    .map(({ name, file }) => [join(from, name), join(to, name), (file.mode & 0o100) === 0 ? 0o640 : 0o750]);
}

async function systemdVersion(init: InitSystem): Promise<number | undefined> {
  if (init.kind !== 'systemd') return undefined;
  return Number(/^systemd (\d+)/.exec((await ask(['systemctl', '--version'])).output)?.[1] ?? 0);
}
