/** The YAML file in which a person writes down how a release, or something else, is to be rolled out. */
import { readFile, stat } from 'node:fs/promises';
import {
  failureActions,
  supersedeRules,
  type Gate,
  type OnFailure,
  type PhaseRequest,
  type RolloutPolicy,
} from '../client/contract/index.ts';
import { boolean, check, choice, either, type Field, integer, list, number, record, text } from '../config/field.ts';
import { parseConfig } from '../config/read-config.ts';
import { FlotillaError, systemErrorCode } from '../error.ts';
import { operatorRoles } from '../role.ts';
import { parseSelector } from '../selector/index.ts';
import { type Window, windowProblem } from '../window/index.ts';
import { parseDuration } from './duration.ts';
import { policyActionField, resolveAction, type TakeContent, type WrittenAction } from './policy-action.ts';
import { describeContent } from './upload-content.ts';

const maxPolicyBytes = 1024 * 1024;

/** The window as it is written: with a duration of units. */
interface WrittenWindow {
  cron: string;
  duration: number;
  zone: string;
}

type WrittenPhase = Omit<PhaseRequest, 'soakSeconds'> & { soak?: number };
interface WrittenPolicy extends Omit<
  RolloutPolicy,
  'action' | 'phases' | 'retry' | 'timers' | 'deadlineSeconds' | 'windows' | 'device'
> {
  action?: WrittenAction;
  phases?: WrittenPhase[];
  retry?: { perDevice: number; perPhase: number; backoff: number };
  timers?: NonNullable<RolloutPolicy['timers']>;
  deadline?: number;
  windows?: { offer?: WrittenWindow[]; install?: WrittenWindow[]; reboot?: WrittenWindow[] };
  device?: { needsApproval?: boolean; maxBytesPerSecond?: number; deferLimit?: number };
}

/** Seconds, as a number or as text with units. */
function duration(minSeconds: number): Field<number> {
  const expected = 'a number of seconds, or numbers with a unit: 500ms, 90s, 5m, 1h30m, 2d, 1w';
  const problem = (seconds: number, key: string, seen: string) =>
    seconds >= minSeconds
      ? undefined
      : { message: `${key} is not valid`, seen, expected: `at least ${minSeconds} seconds: ${expected}` };
  const asText: Field<number> = (node, key, reading) => {
    let seconds = NaN;
    const read = check(text({ expected }), (value) => {
      try {
        seconds = parseDuration(value, key);
      } catch {
        // The field says it better than the flag.
      }
      return problem(seconds, key, JSON.stringify(value));
    })(node, key, reading);
    return read === undefined ? undefined : seconds;
  };
  const asNumber = check(number({ min: 0, max: Number.MAX_SAFE_INTEGER }), (value, key) =>
    problem(value, key, String(value)),
  );
  return either<number, number>((value) => typeof value === 'number', asNumber, asText);
}

/** `95%`, or 0.95. */
function share({ min, max }: { min: number; max: number }): Field<number> {
  const expected = `a share from ${min * 100}% to ${max * 100}%`;
  const inRange = (value: number, key: string, seen: string) =>
    value >= min && value <= max ? undefined : { message: `${key} is not valid`, seen, expected };
  const asText: Field<number> = (node, key, reading) => {
    let value = NaN;
    const read = check(text({ pattern: /^\d+(\.\d+)?\s*%$/, expected }), (written) => {
      value = Number.parseFloat(written) / 100;
      return inRange(value, key, JSON.stringify(written));
    })(node, key, reading);
    return read === undefined ? undefined : value;
  };
  const asNumber = check(number({ min: 0, max: 100 }), (value, key) => inRange(value, key, String(value)));
  return either<number, number>((value) => typeof value === 'number', asNumber, asText);
}

/** Stands for every name: what is in a group is for the coordinator to say. */
const anyGroup = { expression: () => '*', names: () => [] };

const selector: Field<string> = check(text({ expected: 'a selector', maxLength: 10_240 }), (value, key) => {
  try {
    parseSelector(value, anyGroup);
    return undefined;
  } catch (error) {
    if (!(error instanceof FlotillaError)) return undefined;
    const { seen, expected, suggestion } = error.detail;
    return {
      message: `${key}: ${error.message}`,
      seen: seen ?? value,
      ...(expected === undefined ? {} : { expected }),
      ...(suggestion === undefined ? {} : { suggestion }),
    };
  }
});

const counts = (max = 1_000_000) => integer({ min: 1, max });

const gate: Field<Gate> = record<Gate>(
  {
    success: share({ min: 0.001, max: 1 }),
    failure: share({ min: 0, max: 0.999 }),
    minSample: counts(),
    connected: share({ min: 0.001, max: 1 }),
    lostConnections: number({ min: 1, max: 1000 }),
    approval: choice(operatorRoles),
  },
  {},
  ['success', 'failure', 'minSample', 'connected', 'lostConnections', 'approval'],
);

const sizeRule = 'a count (2), a share (25%) or rest';
const size: Field<string> = either<string, string>(
  (value) => typeof value === 'number',
  (node, key, reading) => {
    const value = counts()(node, key, reading);
    return value === undefined ? undefined : String(value);
  },
  text({ pattern: /^([1-9]\d*|([1-9]|[1-9]\d|100)%|rest)$/, expected: sizeRule }),
);

const phase: Field<WrittenPhase> = record<WrittenPhase>(
  { name: text({ maxLength: 64 }), size, selector, soak: duration(0), gate },
  {},
  ['name', 'selector', 'soak', 'gate'],
);

const windowField: Field<WrittenWindow> = check(
  record<WrittenWindow>(
    {
      cron: text({ expected: 'minute, hour, day of the month, month, day of the week: 30 3 * * MON-FRI' }),
      duration: duration(60),
      zone: text({ expected: 'a name of the IANA list, or device', maxLength: 64 }),
    },
    {},
  ),
  (written, key) => {
    const problem = windowProblem(windowOf(written), 0);
    if (problem === undefined) return undefined;
    const { field, seen, expected } = problem;
    return { message: `${key}.${field} can't be used`, seen, expected };
  },
);

const windowList = list(windowField, { min: 1, max: 16 });
const silence = duration(1);

const action: Field<OnFailure> = either<OnFailure, OnFailure>(
  (value) => typeof value === 'string',
  choice(failureActions),
  record<Exclude<OnFailure, string>>({ rollbackTo: text({ expected: 'a release', maxLength: 256 }) }, {}),
);

const fields: Field<WrittenPolicy> = record<WrittenPolicy>(
  {
    release: text({ expected: 'product/version, or product/version/channel', maxLength: 256 }),
    action: policyActionField,
    selector,
    exclude: selector,
    continuous: boolean(),
    phases: list(phase, { min: 1, max: 100 }),
    maxFailures: counts(),
    maxFailureShare: share({ min: 0.0001, max: 1 }),
    minSample: counts(),
    maxInFlight: counts(),
    maxInFlightPer: record(
      { place: text({ pattern: /^[GI]@.+$/, expected: 'a grain or a tag: G@site, I@ring' }), count: counts() },
      {},
    ),
    perMinute: counts(100_000),
    ramp: record({ from: counts(100_000), factor: number({ min: 1.01, max: 10 }), successes: counts() }, {}),
    retry: record({ perDevice: counts(10), perPhase: counts(), backoff: duration(1) }, {}),
    timers: record<NonNullable<RolloutPolicy['timers']>>(
      {
        offered: silence,
        downloading: silence,
        verified: silence,
        installing: silence,
        rebooting: silence,
        testing: silence,
        running: silence,
      },
      {},
      ['offered', 'downloading', 'verified', 'installing', 'rebooting', 'testing', 'running'],
    ),
    deadline: duration(1),
    windows: record<NonNullable<WrittenPolicy['windows']>>(
      { offer: windowList, install: windowList, reboot: windowList },
      {},
      ['offer', 'install', 'reboot'],
    ),
    device: record<NonNullable<WrittenPolicy['device']>>(
      { needsApproval: boolean(), maxBytesPerSecond: counts(2 ** 40), deferLimit: duration(0) },
      {},
      ['needsApproval', 'maxBytesPerSecond', 'deferLimit'],
    ),
    onFailure: action,
    supersede: choice(supersedeRules),
    priority: integer({ min: 0, max: 1000 }),
  },
  {},
  [
    'release',
    'action',
    'exclude',
    'continuous',
    'phases',
    'maxFailures',
    'maxFailureShare',
    'minSample',
    'maxInFlight',
    'maxInFlightPer',
    'perMinute',
    'ramp',
    'retry',
    'timers',
    'deadline',
    'windows',
    'device',
    'onFailure',
    'supersede',
    'priority',
  ],
);

const policy = check(fields, ({ release, action: done }) => {
  if ((release === undefined) !== (done === undefined)) return undefined;
  const seen = release === undefined ? 'neither' : 'both';
  return { message: 'a policy has a release, or an action instead', seen, expected: 'one of release and action' };
});

/** A policy whose action still names its files. */
export type ParsedPolicy = Omit<RolloutPolicy, 'action'> & { action?: WrittenAction };

/** @throws ConfigError with every problem of it, each with its line */
export function parseRolloutPolicy(source: string, file: string): ParsedPolicy {
  const { phases, retry, deadline, windows, device, ...rest } = parseConfig(source, file, policy);
  return {
    ...rest,
    ...(phases === undefined
      ? {}
      : { phases: phases.map(({ soak, ...each }) => (soak === undefined ? each : { ...each, soakSeconds: soak })) }),
    ...(retry === undefined
      ? {}
      : { retry: { perDevice: retry.perDevice, perPhase: retry.perPhase, backoffSeconds: retry.backoff } }),
    ...(deadline === undefined ? {} : { deadlineSeconds: deadline }),
    ...(windows === undefined ? {} : { windows: windowsOf(windows) }),
    ...(device === undefined ? {} : { device: deviceOf(device) }),
  };
}

/** @param take what becomes of the files that its action brings; left out: they are only looked at */
export async function readRolloutPolicy(file: string, take: TakeContent = describeContent): Promise<RolloutPolicy> {
  let source: string;
  try {
    const { size: bytes } = await stat(file);
    if (bytes > maxPolicyBytes) {
      throw new FlotillaError('usage', 'config-too-large', `${file} is too large for a policy`, {
        seen: `${bytes} bytes`,
        expected: `at most ${maxPolicyBytes} bytes`,
      });
    }
    source = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof FlotillaError) throw error;
    const code = systemErrorCode(error);
    throw new FlotillaError('usage', 'config-unreadable', `${file} can't be read`, {
      ...(code === undefined ? {} : { seen: code }),
      suggestion: 'check the path',
      cause: error,
    });
  }
  const { action: written, ...rest } = parseRolloutPolicy(source, file);
  return written === undefined ? rest : { ...rest, action: await resolveAction(written, file, take) };
}

function windowOf({ cron, duration: seconds, zone }: WrittenWindow): Window {
  return { cron, durationSeconds: Math.round(seconds), zone };
}

function windowsOf({ offer, install, reboot }: NonNullable<WrittenPolicy['windows']>) {
  return {
    ...(offer === undefined ? {} : { offer: offer.map(windowOf) }),
    ...(install === undefined ? {} : { install: install.map(windowOf) }),
    ...(reboot === undefined ? {} : { reboot: reboot.map(windowOf) }),
  };
}

function deviceOf({ deferLimit, ...rest }: NonNullable<WrittenPolicy['device']>) {
  return { ...rest, ...(deferLimit === undefined ? {} : { deferLimitSeconds: deferLimit }) };
}
