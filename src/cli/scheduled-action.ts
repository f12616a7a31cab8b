import { Flags } from '@oclif/core';
import { basename } from 'node:path';
import type { CoordinatorClient } from '../client/coordinator-client.ts';
import type { JobAction } from '../client/contract/index.ts';
import { FlotillaError } from '../error.ts';
import { readSettings } from './read-settings.ts';
import { describeContent, uploadContent } from './upload-content.ts';

/** What a schedule may do instead of running a command. */
const kinds = ['script', 'ping', 'refresh', 'reboot', 'restart', 'put', 'config'] as const;
const others = (own: (typeof kinds)[number]) => ({ exclusive: kinds.filter((kind) => kind !== own) });

export const scheduledActionFlags = {
  script: Flags.string({
    description: 'send this file and run it; arguments behind --',
    helpValue: 'FILE',
    ...others('script'),
  }),
  ping: Flags.boolean({ description: 'have the agent answer by itself', ...others('ping') }),
  refresh: Flags.boolean({ description: 'have the grains collected again', ...others('refresh') }),
  reboot: Flags.boolean({ description: 'restart the machine', ...others('reboot') }),
  restart: Flags.string({ description: 'restart this service', helpValue: 'SERVICE', ...others('restart') }),
  put: Flags.string({
    description: 'put this file on the device; with --to',
    helpValue: 'FILE',
    dependsOn: ['to'],
    ...others('put'),
  }),
  to: Flags.string({ description: 'where --put puts it: an absolute path', helpValue: 'PATH', dependsOn: ['put'] }),
  config: Flags.string({
    description: 'push this document of settings; with --file',
    helpValue: 'NAME',
    dependsOn: ['file'],
    ...others('config'),
  }),
  file: Flags.string({ description: 'YAML or JSON of --config', helpValue: 'FILE', dependsOn: ['config'] }),
} as const;

export interface ScheduledActionFlagValues {
  shell: boolean;
  script?: string | undefined;
  ping: boolean;
  refresh: boolean;
  reboot: boolean;
  restart?: string | undefined;
  put?: string | undefined;
  to?: string | undefined;
  config?: string | undefined;
  file?: string | undefined;
  'dry-run': boolean;
}

/** The action that the flags and the words behind `--` name; content is uploaded unless it is a dry run. */
export async function scheduledAction(
  client: CoordinatorClient,
  argv: string[],
  flags: ScheduledActionFlagValues,
): Promise<JobAction> {
  const { shell, script, ping, refresh, reboot, restart, put, to, config, file } = flags;
  const content = (path: string) => (flags['dry-run'] ? describeContent(path) : uploadContent(client, path));
  if (script !== undefined) {
    if (shell) throw misplaced('--shell with --script');
    return { kind: 'script', name: basename(script), content: await content(script), args: argv };
  }
  const other = async (): Promise<JobAction | undefined> => {
    if (ping) return { kind: 'ping' };
    if (refresh) return { kind: 'refresh' };
    if (reboot) return { kind: 'reboot' };
    if (restart !== undefined) return { kind: 'restart', service: restart };
    if (put !== undefined && to !== undefined) return { kind: 'put', path: to, content: await content(put) };
    if (config !== undefined && file !== undefined) {
      return { kind: 'config', name: config, document: await readSettings(file) };
    }
    return undefined;
  };
  const action = argv.length > 0 || shell ? undefined : await other();
  if (action !== undefined) return action;
  const named = kinds.some((kind) => flags[kind] !== undefined && flags[kind] !== false);
  if (named) throw misplaced(shell ? '--shell' : argv.join(' '));
  if (argv.length === 0 || (shell && argv.length !== 1)) {
    throw new FlotillaError('usage', 'schedule-command', 'the command stands behind --', {
      seen: argv.length === 0 ? 'none' : `--shell with ${argv.length} words`,
      suggestion: "flotilla schedule add NAME SELECTOR --cron '0 3 * * *' -- COMMAND [ARGUMENT…]",
    });
  }
  return { kind: 'command', argv, ...(shell ? { shell } : {}) };
}

function misplaced(seen: string): FlotillaError {
  return new FlotillaError('usage', 'schedule-command', 'this schedule runs no command', {
    seen,
    expected: 'either a command behind --, or one of the flags for another kind of job',
  });
}
