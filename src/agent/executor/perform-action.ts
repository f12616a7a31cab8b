import { basename } from 'node:path';
import type { Clock } from '../../clock.ts';
import { serviceName } from '../../device/layout.ts';
import { restartCommand } from '../../device/init/restart-command.ts';
import type { DeviceLog } from '../../eventlog/index.ts';
import type { ActionOf, JobAction } from '../../protocol/job-action.ts';
import { runBounded, type BoundedResult } from '../machine/run-bounded.ts';
import type { WaitingProcess } from '../machine/waiting-process.ts';
import type { ActionContext, ActionEnd, Perform } from './action.ts';
import type { ContentCache } from './content-cache.ts';
import { digestOf, fileRows, readWhole } from './get-file.ts';
import { putFile, realPlace } from './put-file.ts';
import { reboot, type RebootHold } from './reboot.ts';
import { interpreterOf } from './run-script.ts';

export interface ActionOption {
  clock: Clock;
  log: Pick<DeviceLog, 'appendAll'>;
  content: Pick<ContentCache, 'find'>;
  rebootCommand: readonly string[];
  rebootHold(): RebootHold | undefined;
  /** Commands begin in it. */
  waiting: WaitingProcess;
  /** Collects the grains and puts them into the log. */
  refreshGrains(): Promise<void>;
}

/** Each kind of action by the part of the agent that can do it. */
export function createActions(option: ActionOption): Perform {
  const perform = (action: JobAction, context: ActionContext): Promise<ActionEnd> => {
    switch (action.kind) {
      case 'ping':
        return Promise.resolve({ outcome: 'succeeded' });
      case 'command':
        return runCommand(action.argv, { ...context, waiting: option.waiting, shell: action.shell ?? false });
      case 'script':
        return runScript(option, action, context);
      case 'put':
        return put(option, action, context);
      case 'get':
        return get(option, action, context);
      case 'restart':
        return restart(option, action, context);
      case 'reboot':
        return reboot({ clock: option.clock, command: option.rebootCommand, hold: option.rebootHold }, context);
      case 'refresh':
        return option.refreshGrains().then(() => ({ outcome: 'succeeded' }));
    }
  };
  return async (action, context) => {
    try {
      return await perform(action, context);
    } catch (error) {
      if (context.signal.aborted) return { outcome: 'aborted' };
      return { outcome: 'failed', reason: error instanceof Error ? error.message : String(error) };
    }
  };
}

async function runScript(
  { content, waiting }: ActionOption,
  { content: wanted, name, args }: ActionOf<'script'>,
  context: ActionContext,
): Promise<ActionEnd> {
  const path = await content.find(wanted);
  if (path === undefined) return { outcome: 'failed', reason: 'the script is not on this device any more' };
  const interpreter = await interpreterOf(path);
  if (interpreter === undefined) return { outcome: 'failed', reason: `${name} does not begin with a #! line` };
  return runCommand([...interpreter, path, ...args], { ...context, waiting, environment: { FLOTILLA_SCRIPT: name } });
}

async function put({ content }: ActionOption, action: ActionOf<'put'>, context: ActionContext): Promise<ActionEnd> {
  const place = await realPlace(action.path);
  const objection = context.objection({ ...action, path: place });
  if (objection !== undefined) return { outcome: 'rejected', reason: objection };
  const source = await content.find(action.content);
  if (source === undefined) return { outcome: 'failed', reason: 'the content is not on this device any more' };
  await putFile(source, place, action);
  return { outcome: 'succeeded' };
}

async function get({ log, clock }: ActionOption, action: ActionOf<'get'>, context: ActionContext): Promise<ActionEnd> {
  const place = await realPlace(action.path);
  const objection = context.objection({ ...action, path: place });
  if (objection !== undefined) return { outcome: 'rejected', reason: objection };
  const file = await readWhole(place, action.maxBytes);
  log.appendAll(fileRows(context.jobId, file, clock.nowMs()));
  return { outcome: 'succeeded', file: digestOf(file) };
}

async function restart(
  { waiting }: ActionOption,
  { service }: ActionOf<'restart'>,
  context: ActionContext,
): Promise<ActionEnd> {
  if (basename(service, '.service') === serviceName) {
    return { outcome: 'rejected', reason: 'the agent would end in the middle of its own restart' };
  }
  return runCommand(await restartCommand(service), { ...context, waiting });
}

export async function runCommand(
  argv: readonly string[],
  {
    jobId,
    shell = false,
    environment = {},
    waiting,
    ...bounds
  }: Omit<ActionContext, 'objection'> & {
    waiting: WaitingProcess;
    shell?: boolean;
    environment?: Record<string, string>;
  },
): Promise<ActionEnd> {
  const { timeoutMs, maxOutputBytes, onOutput, signal: abort } = bounds;
  const result = await runBounded({
    argv,
    shell,
    timeoutMs,
    maxOutputBytes,
    signal: abort,
    waiting,
    ...(onOutput === undefined ? {} : { onOutput }),
    environment: { FLOTILLA_JOB_ID: jobId, ...environment },
  });
  const { exitCode, signal, stdout, stderr, truncatedBytes } = result;
  return {
    ...commandEnd(result),
    stdout,
    stderr,
    truncatedBytes,
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/** How a process that has ended, or could not begin, ends its action. */
function commandEnd(result: BoundedResult): Pick<ActionEnd, 'outcome' | 'reason'> {
  switch (result.end) {
    case 'not-started':
      return { outcome: 'failed', reason: `it could not be started: ${result.message ?? 'no reason was given'}` };
    case 'timed-out':
      return { outcome: 'timed-out' };
    case 'aborted':
      return { outcome: 'aborted' };
    case 'exited':
      return { outcome: result.exitCode === 0 ? 'succeeded' : 'failed' };
  }
}
