/** What `rollout start` and `rollout plan` share: a policy file, or the same things as flags. */
import { Args, Flags } from '@oclif/core';
import type { RolloutRequest } from '../client/contract/index.ts';
import { FlotillaError } from '../error.ts';
import { defined } from './defined.ts';
import { parseDuration } from './duration.ts';
import { parsePhase } from './phase.ts';
import type { TakeContent } from './policy-action.ts';
import { readRolloutPolicy } from './rollout-policy-file.ts';
import { parseShare } from './share.ts';

export const rolloutArgs = {
  release: Args.string({
    description: 'product/version/channel; product/version means the stable channel. A policy file stands for both',
    required: true,
  }),
  selector: Args.string({ description: 'which devices; left out with a policy file' }),
};

export const rolloutFlags = {
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
  'per-minute': Flags.integer({ description: 'at most so many offers in any minute', min: 1 }),
  deadline: Flags.string({ description: 'how long a device may stay unreachable', helpValue: 'DURATION' }),
  exclude: Flags.string({ description: 'leave these devices out', helpValue: 'SELECTOR' }),
  max: Flags.integer({ description: 'refuse when more devices match', min: 1 }),
};

interface GivenFlags {
  phase?: string[] | undefined;
  soak?: string | undefined;
  'max-failures'?: number | undefined;
  'max-failure-share'?: string | undefined;
  'min-sample'?: number | undefined;
  'max-in-flight'?: number | undefined;
  'per-minute'?: number | undefined;
  deadline?: string | undefined;
  exclude?: string | undefined;
  max?: number | undefined;
}

/** What a policy file has a place for. */
const policyFlags = [
  'phase',
  'soak',
  'max-failures',
  'max-failure-share',
  'min-sample',
  'max-in-flight',
  'per-minute',
  'deadline',
  'exclude',
] as const;

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
    const odd = policyFlags.find((name) => flags[name] !== undefined);
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
  const soakSeconds = parseDuration(flags.soak, '--soak');
  const phaseTexts = flags.phase ?? (soakSeconds === undefined ? undefined : ['rest']);
  return {
    release,
    selector,
    ...max,
    ...defined({
      phases: phaseTexts?.map((text) => parsePhase(text, soakSeconds)),
      maxFailures: flags['max-failures'],
      maxFailureShare: parseShare(flags['max-failure-share'], '--max-failure-share'),
      minSample: flags['min-sample'],
      maxInFlight: flags['max-in-flight'],
      perMinute: flags['per-minute'],
      deadlineSeconds: parseDuration(flags.deadline, '--deadline'),
      exclude: flags.exclude,
    }),
  };
}
