import { FlotillaError } from '../../error.ts';
import { ask, detectInit, initSystems, type InitKind } from '../init/init-system.ts';
import { agentUser, deviceLayout, onDisk } from '../layout.ts';
import { findAccount } from './account.ts';
import { removeFileStep } from './file-step.ts';
import { lockInstallation } from './install-lock.ts';
import { removeFolderStep } from './folder-step.ts';
import { stopStep } from './service-step.ts';
import { isEffect, takeSteps, type Step, type StepReport } from './step.ts';
import { removeUser } from './user-step.ts';

export interface UninstallOption {
  prefix?: string;
  init?: InitKind;
  /** Configuration, identity and state as well; there is no way back. */
  purge?: boolean;
  dryRun?: boolean;
}

export interface Uninstalled {
  init: InitKind;
  dryRun: boolean;
  changes: number;
  steps: StepReport[];
}

/** Ends the service and takes away what `installAgent` put there. What can't be made again stays, unless `purge`. */
export async function uninstallAgent(option: UninstallOption): Promise<Uninstalled> {
  const { prefix = '/', purge = false, dryRun = false } = option;
  if (prefix === '/' && process.getuid?.() !== 0 && !dryRun) {
    throw new FlotillaError('forbidden', 'install-root', 'only root can remove a service', { suggestion: 'sudo' });
  }
  await using _ = prefix === '/' && !dryRun ? await lockInstallation() : undefined;
  const init = option.init === undefined ? await detectInit(prefix) : initSystems[option.init];
  const at = (path: string) => onDisk(prefix, path);
  const live = prefix === '/';
  const steps: Step[] = [
    ...(live ? [stopStep(init)] : []),
    ...init.links.map(({ path }) => removeFileStep(at(path))),
    ...init.files.map(({ path }) => removeFileStep(at(path))),
    ...[deviceLayout.command, deviceLayout.launcher, deviceLayout.agentFile, deviceLayout.runtime].map((path) =>
      removeFileStep(at(path)),
    ),
    ...(purge ? purgeSteps(prefix) : [keptStep(at(deviceLayout.configuration)), keptStep(at(deviceLayout.data))]),
    // Last: from here on there is no way back.
    ...[deviceLayout.programs, deviceLayout.cache, deviceLayout.run].map((path) => removeFolderStep(at(path))),
  ];
  try {
    const reports = await takeSteps(steps, { dryRun });
    if (live && !dryRun && init.reload) await ask(init.reload);
    return { init: init.kind, dryRun, changes: reports.filter(isEffect).length, steps: reports };
  } catch (error) {
    if (live && !dryRun && init.reload) await ask(init.reload);
    throw error;
  }
}

function purgeSteps(prefix: string): Step[] {
  const user = agentUser;
  const { configuration, data, log } = deviceLayout;
  return [
    ...[configuration, data, log].map((path) => removeFolderStep(onDisk(prefix, path))),
    {
      what: `user ${user}`,
      async inspect() {
        return { change: (await findAccount(prefix, user)) === undefined ? 'unchanged' : 'remove' };
      },
      apply: () => removeUser(prefix, user),
    },
  ];
}

function keptStep(path: string): Step {
  const gone = removeFolderStep(path);
  return {
    what: gone.what,
    async inspect(earlier) {
      const { change } = await gone.inspect(earlier);
      return change === 'remove' ? { change: 'kept', detail: '--purge removes it' } : { change };
    },
    apply: () => Promise.resolve(),
  };
}
