/** The validator of what an owner lays down about updates. */
import { isZone, maxDurationSeconds, minDurationSeconds, windowProblem, type Window } from '../window/index.ts';
import type { MeteredConfig, UpdateLimits, UpdateRules } from './agent-config.ts';
import { defaultUpdateRules } from './agent-default.ts';
import { type Field, check, choice, integer, list, mapOf, record, text } from './field.ts';
import { path, seconds } from './rule.ts';

const defaults = defaultUpdateRules;
const gibibyte = 1024 ** 3;
/** A window is judged as of then: a cron that ever comes does so after it. */
const judgedAtMs = Date.UTC(2024, 0, 1);

const window: Field<Window> = check(
  record<Window>(
    {
      cron: text({ maxLength: 256 }),
      durationSeconds: integer({ min: minDurationSeconds, max: maxDurationSeconds, unit: 'seconds' }),
      zone: text({ maxLength: 64 }),
    },
    { zone: 'device' },
  ),
  (value, key) => {
    const problem = windowProblem(value, judgedAtMs);
    if (problem === undefined) return undefined;
    return { message: `${key}.${problem.field} is not valid`, seen: problem.seen, expected: problem.expected };
  },
);
const windows = list(window, { max: 32 });

const limits: Field<UpdateLimits> = record<UpdateLimits>(
  {
    offeredSeconds: seconds(1, 90),
    downloadingSeconds: seconds(1, 90),
    verifiedSeconds: seconds(1, 90),
    installingSeconds: seconds(1, 7),
    rebootingSeconds: seconds(1, 7),
    testingSeconds: seconds(1, 7),
    revertingSeconds: seconds(1, 7),
    waitSeconds: seconds(1, 90),
    deferSeconds: seconds(0, 90),
    approvalSeconds: seconds(1, 90),
    rebootHoldSeconds: seconds(0, 7),
  },
  defaults.limits,
);

const metered: Field<MeteredConfig> = check(
  record<MeteredConfig>(
    {
      when: mapOf(
        { pattern: /^[^\s]+$/, expected: 'a grain such as network:type' },
        list(text({ maxLength: 256 }), { min: 1 }),
      ),
      download: choice<MeteredConfig['download']>(['never', 'delta-only', 'up-to']),
      maxBytes: integer({ min: 1, max: 1024 * gibibyte, unit: 'bytes' }),
    },
    {},
    ['maxBytes'],
  ),
  ({ when, download, maxBytes }, key) => {
    if (Object.keys(when).length === 0)
      return { message: `${key}.when names no grain`, seen: '{}', expected: 'a grain and its values' };
    if ((download === 'up-to') === (maxBytes !== undefined)) return undefined;
    const seen = `download: ${download}${maxBytes === undefined ? '' : `, maxBytes: ${maxBytes}`}`;
    return { message: `${key} contradicts itself`, seen, expected: 'maxBytes with download: up-to, and only with it' };
  },
);

export const updateRuleFields = {
  approval: choice<UpdateRules['approval']>(['none', 'required']),
  limits,
  windows: record<UpdateRules['windows']>({ download: windows, install: windows, reboot: windows }, defaults.windows),
  zone: check(text({ maxLength: 64 }), (zone, key) =>
    isZone(zone)
      ? undefined
      : { message: `${key} is not valid`, seen: zone, expected: 'a name of the IANA list, such as Europe/Berlin' },
  ),
  download: record<UpdateRules['download']>(
    { maxBytesPerSecond: integer({ min: 1_024, max: 1024 * gibibyte, unit: 'bytes per second' }) },
    {},
    ['maxBytesPerSecond'],
  ),
  metered,
  hooks: record<UpdateRules['hooks']>(
    {
      directory: path,
      timeoutSeconds: seconds(1, 1),
      retrySeconds: seconds(1, 1),
      retryLimitSeconds: seconds(0, 7),
    },
    defaults.hooks,
  ),
};
