/** The YAML file of a product's policy tests: policies, fleets, what is injected, and what is to come of it. */
import { choice, check, either, integer, list, mapOf, record, text, type Field } from '../config/field.ts';
import type { Expectation, FleetModel } from '../simulation/index.ts';
import { fleetField, fleetModelField, type WrittenFleet } from './fleet-model-field.ts';
import { countRangeField, durationField, timeRangeField } from './measure-field.ts';

/** What all cases share; each may say it anew. Files are named as seen from this one. */
export interface CaseSetting {
  policy?: string;
  fleet?: string | WrittenFleet;
  model?: FleetModel;
  seed?: number;
  /** When the rollout starts, ISO 8601. */
  at?: string;
  /** Virtual time after which it is given up. */
  limit?: number;
}

export interface PolicyCase extends CaseSetting {
  name: string;
  expect: Expectation;
}

export interface PolicyCases extends CaseSetting {
  cases: PolicyCase[];
}

const file = text({ expected: 'the name of a file', maxLength: 4096 });
const setting = {
  policy: file,
  fleet: either<string, WrittenFleet>((value) => typeof value === 'string', file, fleetField),
  model: fleetModelField,
  seed: integer({ min: 0, max: 2 ** 31 - 1 }),
  at: check(text({ expected: '2026-01-05T02:00:00Z' }), (value, key) =>
    Number.isNaN(Date.parse(value))
      ? { message: `${key} is not a time`, seen: JSON.stringify(value), expected: '2026-01-05T02:00:00Z' }
      : undefined,
  ),
  limit: durationField,
};
const settingKeys = ['policy', 'fleet', 'model', 'seed', 'at', 'limit'] as const;

const expectField: Field<Expectation> = record<Expectation>(
  {
    outcome: choice(['completed', 'halted', 'aborted', 'unfinished']),
    haltsInPhase: integer({ min: 1, max: 100 }),
    reason: text({ maxLength: 256 }),
    touched: countRangeField,
    succeeded: countRangeField,
    failed: countRangeField,
    inFlight: countRangeField,
    seconds: timeRangeField,
    counts: mapOf({ expected: 'a state of a device' }, integer({ min: 0, max: 1_000_000 })),
    causes: list(text({ maxLength: 64 })),
  },
  {},
  ['outcome', 'haltsInPhase', 'reason', 'touched', 'succeeded', 'failed', 'inFlight', 'seconds', 'counts', 'causes'],
);

export const policyCasesField: Field<PolicyCases> = record<PolicyCases>(
  {
    ...setting,
    cases: list(
      record<PolicyCase>({ ...setting, name: text({ maxLength: 256 }), expect: expectField }, {}, settingKeys),
      { min: 1, max: 1_000 },
    ),
  },
  {},
  settingKeys,
);
