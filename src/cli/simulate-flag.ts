import { Flags } from '@oclif/core';
import type { RolloutRequest } from '../client/contract/index.ts';
import { FlotillaError } from '../error.ts';
import type { FleetModel, Who } from '../simulation/index.ts';
import { policyFlagNames, policyFlags, policyOfFlags, type PolicyFlagValues } from './policy-flag.ts';

/** A policy without a file. */
export const trialFlags = {
  selector: Flags.string({ description: 'which devices of the fleet; all when left out' }),
  ...policyFlags,
};

export const trialFlagNames = ['selector', ...policyFlagNames] as const;

export interface TrialFlagValues extends PolicyFlagValues {
  selector?: string | undefined;
}

/** Of a release that is not named: nothing of it matters here. */
export function trialOfFlags(flags: TrialFlagValues): RolloutRequest {
  return { release: 'release/0.0.0/stable', selector: flags.selector ?? '*', ...policyOfFlags(flags) };
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
