/** A policy of a few words, for those who have no file: of a rollout, and of one that is simulated. */
import { Flags } from '@oclif/core';
import type { RolloutRequest } from '../client/contract/index.ts';
import { defined } from './defined.ts';
import { parseDuration } from './duration.ts';
import { parsePhase } from './phase.ts';
import { parseShare } from './share.ts';

export const policyFlags = {
  phase: Flags.string({
    description:
      'how many devices come next: 2, 25% (of all) or rest; @SELECTOR takes only those (repeat for each phase)',
    multiple: true,
    multipleNonGreedy: true,
    helpValue: 'SIZE[@SELECTOR]',
  }),
  soak: Flags.string({ description: 'how long a phase must stand before the next', helpValue: 'DURATION' }),
  'max-failures': Flags.integer({ description: 'halt at so many failures', min: 1 }),
  'max-failure-share': Flags.string({ description: 'halt at this share of the started ones: 10%', helpValue: 'N%' }),
  'min-sample': Flags.integer({ description: 'judge the share only when so many have ended', min: 1 }),
  'max-in-flight': Flags.integer({ description: 'at most so many devices at once', min: 1 }),
  deadline: Flags.string({ description: 'how long a device may stay unreachable', helpValue: 'DURATION' }),
};

export const policyFlagNames = Object.keys(policyFlags) as (keyof typeof policyFlags)[];

export interface PolicyFlagValues {
  phase?: string[] | undefined;
  soak?: string | undefined;
  'max-failures'?: number | undefined;
  'max-failure-share'?: string | undefined;
  'min-sample'?: number | undefined;
  'max-in-flight'?: number | undefined;
  deadline?: string | undefined;
}

export function policyOfFlags(flags: PolicyFlagValues): Partial<RolloutRequest> {
  const soakSeconds = parseDuration(flags.soak, '--soak');
  const phases = flags.phase ?? (soakSeconds === undefined ? undefined : ['rest']);
  return defined({
    phases: phases?.map((text) => parsePhase(text, soakSeconds)),
    maxFailures: flags['max-failures'],
    maxFailureShare: parseShare(flags['max-failure-share'], '--max-failure-share'),
    minSample: flags['min-sample'],
    maxInFlight: flags['max-in-flight'],
    deadlineSeconds: parseDuration(flags.deadline, '--deadline'),
  });
}
