import { Flags } from '@oclif/core';
import type { Hold, JobRequest } from '../client/contract/index.ts';
import { FlotillaError } from '../error.ts';
import { defined } from './defined.ts';
import { parseDuration } from './duration.ts';
import { splitWords } from './split-words.ts';

/** Of every command that starts a job: how many at once, how long, and what to ask before. */
export const jobFlags = {
  batch: Flags.string({ description: 'at most this many devices at once: 50, or 10%', helpValue: 'N|N%' }),
  subset: Flags.integer({ description: 'only this many of the matched devices, drawn at random once', min: 1 }),
  ramp: Flags.string({
    description: 'spread the starts evenly over this time, in an order that is the same every time',
    helpValue: 'DURATION',
  }),
  failhard: Flags.boolean({
    description: 'start no more devices after the first failure',
    exclusive: ['max-failures'],
  }),
  'max-failures': Flags.integer({ description: 'start no more devices after this many failures', min: 1 }),
  timeout: Flags.string({ description: 'of the work on the device, from its start', helpValue: 'DURATION' }),
  expires: Flags.string({ description: 'how long an offline device may take to come back', helpValue: 'DURATION' }),
  return: Flags.string({
    description: 'send each result to this returner of coordinator.yaml, too',
    helpValue: 'NAME',
    multiple: true,
  }),
  max: Flags.integer({ description: 'refuse when more devices match', min: 1 }),
  expect: Flags.integer({ description: 'refuse unless exactly this many devices match', min: 0 }),
  yes: Flags.boolean({ char: 'y', description: 'do not ask; only together with --expect' }),
  'dry-run': Flags.boolean({ description: 'say which devices, start nothing', exclusive: ['detach'] }),
  detach: Flags.boolean({ description: 'start the job and leave; `job wait` shows the results' }),
} as const;

/** Of commands whose work writes something as it goes on. */
export const followFlags = {
  follow: Flags.boolean({
    char: 'f',
    description: 'show what each device writes as it comes',
    exclusive: ['detach', 'dry-run'],
  }),
} as const;

/** Of commands whose work can be taken back on the device itself. */
export const holdFlags = {
  for: Flags.string({
    description: 'each device takes it back so long after its start, by itself; with --then',
    helpValue: 'DURATION',
    dependsOn: ['then'],
  }),
  // oxlint-disable-next-line unicorn/no-thenable -- the flag's name; nobody awaits this table
  then: Flags.string({
    description: 'the command that takes it back, in one string; with --for',
    helpValue: 'COMMAND',
    dependsOn: ['for'],
  }),
  'then-once': Flags.boolean({
    description: 'do not run the command of --then again when the agent stopped while it ran',
    dependsOn: ['then'],
  }),
} as const;

export interface JobFlagValues {
  batch?: string | undefined;
  subset?: number | undefined;
  ramp?: string | undefined;
  failhard: boolean;
  'max-failures'?: number | undefined;
  timeout?: string | undefined;
  expires?: string | undefined;
  return?: string[] | undefined;
  max?: number | undefined;
  expect?: number | undefined;
  yes: boolean;
  'dry-run': boolean;
  detach: boolean;
}

/** What the flags say of a job, but for its devices and its action. */
export function jobTerms(flags: JobFlagValues): Omit<JobRequest, 'selector' | 'action' | 'expect'> {
  return defined({
    rampSeconds: parseDuration(flags.ramp, '--ramp'),
    timeoutSeconds: parseDuration(flags.timeout, '--timeout'),
    expiresSeconds: parseDuration(flags.expires, '--expires'),
    batch: flags.batch,
    maxFailures: flags.failhard ? 1 : flags['max-failures'],
    subset: flags.subset,
    returners: flags.return,
    max: flags.max,
    dryRun: flags['dry-run'] || undefined,
  });
}

/** `--for` and `--then`; with a shell the command is a string for it, else its words. */
export function readHold(
  flags: { for?: string | undefined; then?: string | undefined; 'then-once': boolean },
  shell: boolean,
): Hold | undefined {
  if (flags.for === undefined || flags.then === undefined) return undefined;
  const argv = shell ? [flags.then] : splitWords(flags.then, '--then');
  if (argv.length === 0 || argv[0] === '') {
    throw new FlotillaError('usage', 'job-then-empty', '--then has no command', {
      suggestion: "--then 'relay on'",
    });
  }
  return {
    forSeconds: parseDuration(flags.for, '--for'),
    restore: { kind: 'command', argv, ...(shell ? { shell } : {}) },
    ...(flags['then-once'] ? { once: true } : {}),
  };
}
