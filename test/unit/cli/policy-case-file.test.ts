import { describe, expect, it } from 'vitest';
import { policyCasesField } from '../../../src/cli/policy-case-file.ts';
import { fleetModelField } from '../../../src/cli/fleet-model-field.ts';
import { formatCases, formatJunit } from '../../../src/cli/render/policy-case.ts';
import type { CasesReport } from '../../../src/cli/run-policy-cases.ts';
import { ConfigError } from '../../../src/config/index.ts';
import { parseConfig } from '../../../src/config/read-config.ts';

const cases = (source: string) => parseConfig(source, 'cases.yaml', policyCasesField);
const problems = (source: string): string[] => {
  try {
    cases(source);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ line, message }) => `${line}: ${message}`);
    throw error;
  }
  return [];
};

describe('a file of policy tests', () => {
  it('says limits as a person does', () => {
    const { cases: read } = cases(`
policy: policy.yaml
fleet: fleet.yaml
cases:
  - name: one
    model: { failures: [{ share: 5%, devices: 'I@ring:canary', as: silent }], offline: [{ share: 0.5, for: 1h..2h }] }
    expect: { touched: <=3, failed: '>=2', inFlight: 2..5, succeeded: 7, seconds: <=6h }
`);
    expect(read[0]!.expect).toEqual({
      touched: { max: 3 },
      failed: { min: 2 },
      inFlight: { min: 2, max: 5 },
      succeeded: { min: 7, max: 7 },
      seconds: { max: 21_600 },
    });
    expect(read[0]!.model).toEqual({
      failures: [{ share: 0.05, devices: 'I@ring:canary', as: 'silent' }],
      offline: [{ share: 0.5, for: { kind: 'between', fromMs: 3_600_000, toMs: 7_200_000 } }],
    });
  });

  it('names every slip with its line', () => {
    const found = problems(`
cases:
  - name: one
    modell: {}
    at: tomorrow
    model: { failures: [{ share: 120%, as: sideways, devices: 'G@' }], takes: { download: soon } }
    expect: { outcome: fine, touched: few, inFlight: 5..2, seconds: 3x, counts: { waiting: -1 } }
`);
    expect(found).toEqual([
      '4: unknown key cases[0].modell',
      '5: cases[0].at is not a time',
      '6: cases[0].model.failures[0].share is not valid',
      '6: cases[0].model.failures[0].as is not valid',
      expect.stringContaining('6: cases[0].model.failures[0].devices: '),
      '6: cases[0].model.takes.download is not valid',
      '7: cases[0].expect.outcome is not valid',
      '7: cases[0].expect.touched is not valid',
      '7: cases[0].expect.inFlight is not valid',
      '7: cases[0].expect.seconds is not valid',
      '7: cases[0].expect.counts.waiting is not valid',
    ]);
  });

  it.each([
    ['5m', { kind: 'fixed', fromMs: 300_000, toMs: 300_000 }],
    ['90', { kind: 'fixed', fromMs: 90_000, toMs: 90_000 }],
    ['30s..5m', { kind: 'between', fromMs: 30_000, toMs: 300_000 }],
    ['~5m', { kind: 'average', fromMs: 300_000, toMs: 300_000 }],
    ['forever', { kind: 'fixed', fromMs: Infinity, toMs: Infinity }],
  ])('reads %s as a length of time', (written, stretch) => {
    expect(parseConfig(`takes: { test: ${written} }`, 'model.yaml', fleetModelField).takes).toEqual({ test: stretch });
  });

  it.each(['5m..30s', '~1m..2m', '1m..2m..3m', '..5m', '-5m', 'never', '5 minutes'])('refuses %s', (written) => {
    expect(() => parseConfig(`takes: { test: '${written}' }`, 'model.yaml', fleetModelField)).toThrow(/takes\.test/);
  });
});

describe('what came of policy tests', () => {
  const result = { counts: { waiting: 9 }, touched: 1, peakInFlight: 1, durationSeconds: 3_600, tookMs: 12 };
  const report: CasesReport = {
    version: 1,
    file: 'cases.yaml',
    passed: 1,
    failed: 1,
    cases: [
      { ...result, name: 'good', passed: true, misses: [], outcome: 'completed' },
      {
        ...result,
        name: '<bad> & "worse"',
        passed: false,
        misses: [{ what: 'touched', expected: 'at most 3', seen: '12' }],
        outcome: 'halted: 1 < 2',
      },
    ],
  };

  it('is told with what was expected and what was seen', () => {
    expect(formatCases(report)).toBe(`passed  good
failed  <bad> & "worse"
        touched: expected at most 3, seen 12
        it was halted: 1 < 2; 1 offered (9 waiting), at most 1 at once, after 1h
2 cases: 1 passed, 1 failed
`);
  });

  it('is told to a CI server in its own words', () => {
    expect(formatJunit(report)).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="cases.yaml" tests="2" failures="1" errors="0" time="0.024">
  <testcase classname="cases.yaml" name="good" time="0.012"/>
  <testcase classname="cases.yaml" name="&lt;bad&gt; &amp; &quot;worse&quot;" time="0.012">
    <failure message="touched: expected at most 3, seen 12">touched: expected at most 3, seen 12; it was halted: 1 &lt; 2; 1 offered (9 waiting), at most 1 at once, after 1h</failure>
  </testcase>
</testsuite>
`);
  });
});
