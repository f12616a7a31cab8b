/** What `rollout start` and `rollout plan` share: a policy file, or the same things as flags. */
import { Args, Flags } from '@oclif/core';
import type { RolloutRequest } from '../client/contract/index.ts';
import { FlotillaError } from '../error.ts';
import { defined } from './defined.ts';
import type { TakeContent } from './policy-action.ts';
import { policyFlagNames, policyFlags, policyOfFlags, type PolicyFlagValues } from './policy-flag.ts';
import { readRolloutPolicy } from './rollout-policy-file.ts';

export const rolloutArgs = {
  release: Args.string({
    description: 'product/version/channel; product/version means the stable channel. A policy file stands for both',
    required: true,
  }),
  selector: Args.string({ description: 'which devices; left out with a policy file' }),
};

export const rolloutFlags = {
  ...policyFlags,
  'per-minute': Flags.integer({ description: 'at most so many offers in any minute', min: 1 }),
  exclude: Flags.string({ description: 'leave these devices out', helpValue: 'SELECTOR' }),
  max: Flags.integer({ description: 'refuse when more devices match', min: 1 }),
};

interface GivenFlags extends PolicyFlagValues {
  'per-minute'?: number | undefined;
  exclude?: string | undefined;
  max?: number | undefined;
}

/** What a policy file has a place for. */
const ofPolicy = [...policyFlagNames, 'per-minute', 'exclude'] as const;

const policyName = /\.ya?ml$/i;

/**
 * One argument that ends in .yaml is a policy file; else it is a release, and a selector comes after it.
 * @param take what becomes of the files that the policy's action brings
 */
export async function readRolloutRequest(
  { release, selector }: { release: string; selector?: string | undefined },
  flags: GivenFlags,
  take?: TakeContent,
): Promise<RolloutRequest> {
  const max = defined({ max: flags.max });
  if (selector === undefined && policyName.test(release)) {
    const odd = ofPolicy.find((name) => flags[name] !== undefined);
    if (odd === undefined) return { ...(await readRolloutPolicy(release, take)), ...max };
    throw new FlotillaError('usage', 'rollout-policy-flag', 'a policy file says this itself', {
      seen: `--${odd} beside ${release}`,
      suggestion: `write it into ${release}`,
    });
  }
  if (selector === undefined) {
    throw new FlotillaError('usage', 'rollout-no-selector', 'which devices are meant?', {
      seen: release,
      expected: 'a release and a selector, or a policy file that ends in .yaml',
    });
  }
  return {
    release,
    selector,
    ...max,
    ...policyOfFlags(flags),
    ...defined({ perMinute: flags['per-minute'], exclude: flags.exclude }),
  };
}
