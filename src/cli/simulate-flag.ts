import { Flags } from '@oclif/core';
import type { RolloutRequest } from '../client/contract/index.ts';
import { FlotillaError } from '../error.ts';
import type { FleetModel, Who } from '../simulation/index.ts';
import { defined } from './defined.ts';
import { parseDuration } from './duration.ts';
import { parsePhase } from './phase.ts';
import { parseShare } from './share.ts';

/** A policy of a few words, for those who have no file yet. */
export const policyFlags = {
  selector: Flags.string({ description: 'which devices of the fleet; all when left out' }),
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
} as const;

export const policyFlagNames = Object.keys(policyFlags) as (keyof typeof policyFlags)[];

export type PolicyFlagValues = {
  [K in keyof typeof policyFlags]?: K extends 'phase'
    ? string[] | undefined
    : K extends 'max-failures' | 'min-sample' | 'max-in-flight'
      ? number | undefined
      : string | undefined;
};

/** Of a release that is not named: nothing of it matters here. */
export function policyOfFlags(flags: PolicyFlagValues): RolloutRequest {
  const soakSeconds = parseDuration(flags.soak, '--soak');
  const phases = flags.phase ?? (soakSeconds === undefined ? undefined : ['rest']);
  return {
    release: 'release/0.0.0/stable',
    selector: flags.selector ?? '*',
    ...defined({
      phases: phases?.map((text) => parsePhase(text, soakSeconds)),
      maxFailures: flags['max-failures'],
      maxFailureShare: parseShare(flags['max-failure-share'], '--max-failure-share'),
      minSample: flags['min-sample'],
      maxInFlight: flags['max-in-flight'],
      deadlineSeconds: parseDuration(flags.deadline, '--deadline'),
    }),
  };
}

const whoFlag = (description: string) =>
  Flags.string({ description, multiple: true, multipleNonGreedy: true, helpValue: 'N%[@SELECTOR]' });

export const modelFlags = {
  model: Flags.string({ description: 'how the devices behave: a YAML file', helpValue: 'FILE' }),
  fail: whoFlag('so many do not pass their health checks and roll back (repeat for each kind)'),
  offline: whoFlag('so many are away'),
  flap: whoFlag('the link of so many comes and goes'),
  defer: whoFlag('so many put the update off for an hour'),
} as const;

export interface ModelFlagValues {
  fail?: string[] | undefined;
  offline?: string[] | undefined;
  flap?: string[] | undefined;
  defer?: string[] | undefined;
}

/** The model of the file with that of the flags after it. */
export function withModelFlags(model: FleetModel, flags: ModelFlagValues): FleetModel {
  const add = (words: string[] | undefined, flag: string): Who[] => (words ?? []).map((word) => parseWho(word, flag));
  return {
    ...model,
    failures: [...(model.failures ?? []), ...add(flags.fail, '--fail')],
    offline: [...(model.offline ?? []), ...add(flags.offline, '--offline')],
    flapping: [...(model.flapping ?? []), ...add(flags.flap, '--flap')],
    deferring: [...(model.deferring ?? []), ...add(flags.defer, '--defer')],
  };
}

function parseWho(text: string, flag: string): Who {
  const [, digits, selector] = /^(\d+(?:\.\d+)?)%(?:@(.+))?$/s.exec(text) ?? [];
  const share = digits === undefined ? NaN : Number(digits) / 100;
  if (share <= 1) return { share, ...(selector === undefined ? {} : { devices: selector }) };
  throw new FlotillaError('usage', 'share-malformed', `${flag} says not how many`, {
    seen: JSON.stringify(text),
    expected: '5%, or 100%@I@ring:canary for those that a selector matches',
  });
}
