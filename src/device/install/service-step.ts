import { access } from 'node:fs/promises';
import { FlotillaError } from '../../error.ts';
import { ask, type InitSystem } from '../init/init-system.ts';
import { isEffect, type Step } from './step.ts';

export interface StartOption {
  init: InitSystem;
  /** Without it the service does not start. */
  certificate: string;
  /** Why nothing is to be started here at all. */
  held?: string | undefined;
}

/** After a start it must run on for this long. */
const settleMs = 3_000;

/** The service runs, and runs what was installed: it is started again after every change of an earlier step. */
export function startStep({ init, certificate, held }: StartOption): Step {
  return {
    what: `service, by ${init.kind}`,
    async inspect(earlier) {
      if (held !== undefined) return { change: 'skipped', detail: held };
      const changed = earlier.some(isEffect);
      const willCome = earlier.some(({ what, change }) => what === `file ${certificate}` && change === 'create');
      if (!willCome && !(await isThere(certificate)))
        return { change: 'skipped', detail: 'it starts once the device has its certificate' };
      if (!(await isRunning(init))) return { change: 'start' };
      return { change: changed ? 'restart' : 'unchanged' };
    },
    async apply(undo, { change }) {
      if (init.reload) await mustRun(init, init.reload);
      undo.defer(async () => void (await ask(init.stop)));
      if (change === 'restart') await mustRun(init, init.stop);
      await mustRun(init, init.start);
      const end = performance.now() + settleMs;
      do {
        await new Promise((resolve) => setTimeout(resolve, 250));
        if (!(await isRunning(init))) throw await notRunning(init);
      } while (performance.now() < end);
    },
  };
}

export function stopStep(init: InitSystem): Step {
  return {
    what: `service, by ${init.kind}`,
    async inspect() {
      return { change: (await isRunning(init)) ? 'stop' : 'unchanged' };
    },
    async apply(undo) {
      undo.defer(async () => void (await ask(init.start)));
      await mustRun(init, init.stop);
    },
  };
}

export async function isRunning(init: InitSystem): Promise<boolean> {
  return (await ask(init.isRunning)).exitCode === 0;
}

async function mustRun(init: InitSystem, argv: Parameters<typeof ask>[0]): Promise<void> {
  const { exitCode, output } = await ask(argv);
  if (exitCode === 0) return;
  throw new FlotillaError('failed', 'install-service', `${argv.join(' ')} failed`, {
    seen: output.split('\n').slice(-5).join('\n'),
    suggestion: `see ${init.showLog.join(' ')}`,
  });
}

async function notRunning(init: InitSystem): Promise<FlotillaError> {
  const { output } = await ask(init.showLog);
  return new FlotillaError('failed', 'install-service-ended', 'the agent does not stay up', {
    seen: output.split('\n').slice(-8).join('\n'),
    expected: `a service that runs for ${settleMs / 1_000} s`,
  });
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
