import { describe, expect, it } from 'vitest';

import { explainSelector, parseSelector } from '../../../src/selector/index.ts';
import { device, nowMs, select } from './fleet.ts';

function holds(text: string, value: unknown): boolean {
  return select(text, [device('one', { x: value })]).length === 1;
}

describe('a comparison', () => {
  it.each([
    ['G@x:>=512', 512, true],
    ['G@x:>=512', 511.5, false],
    ['G@x:>=512', '1024', true],
    ['G@x:<-1', -1.5, true],
    ['G@x:<1e3', '999', true],
    ['G@x:>=512', 'lots', false],
    ['G@x:>=512', true, false],
    ['G@x:>=512', null, false],
    ['G@x:<5', [7, 3], true],
    ['G@x:>5 <10', [3, 20], false],
    ['G@x:>5 <10', [3, 7], true],
    ['G@x:<5', {}, false],
    ['G@x:<5', { '3': 1 }, false],
    ['G@x:<5', [], false],
    ['G@x:a:>1', { a: 2 }, true],
    ['G@x:*:>1', { a: 0, b: 2 }, true],
    ['G@x:*:>1', 2, false],
    ['G@**:>1', { a: [{ b: 2 }] }, true],
    ['G@?:>1', 2, true],
  ])('of numbers: %s on %j is %s', (text, value, verdict) => {
    expect(holds(text, value)).toBe(verdict);
  });

  it.each([
    ['G@x:>=2.1.0 <3', '2.1.0', true],
    ['G@x:>=2.1.0 <3', '2.10.0', true],
    ['G@x:>=2.1.0 <3', '2.0.9', false],
    ['G@x:>=2.1.0 <3', '3.0.0', false],
    ['G@x:>=2.1.0 <3', '3', false],
    ['G@x:>=2.1.0 <3', 'v2.10', true],
    ['G@x:>=2.1.0 <2.9', '2.10', false],
    ['G@x:<3.0.0', '3.0.0-rc.1', true],
    ['G@x:<3.0.0-0', '3.0.0-rc.1', false],
    ['G@x:>1.0.0-rc.2', '1.0.0-rc.10', true],
    ['G@x:>1.0.0-alpha', '1.0.0-alpha.1', true],
    ['G@x:>1.0.0-1', '1.0.0-alpha', true],
    ['G@x:>=1.2.3', '1.2.3+build.7', true],
    ['G@x:>=2.1.0', 2, false],
    ['G@x:>=2.1.0', '2.1.0.4', false],
    ['G@x:>=2.1.0', '02.1.0', false],
    ['G@x:>2.9', '2.10', false],
    ['G@x:>v2.9', '2.10', true],
    ['G@x:>2.9', '2.10.0', true],
  ])('of versions, when one side is certainly a version: %s on %j is %s', (text, value, verdict) => {
    expect(holds(text, value)).toBe(verdict);
  });

  it.each([
    ['G@x:<2026-11-26', '2026-11-25T23:59:59Z', true],
    ['G@x:<2026-11-26', '2026-11-26', false],
    ['G@x:>=2026-11-26T08:00:00Z', '2026-11-26T09:30:00+02:00', false],
    ['G@x:>=2026-11-26T08:00:00Z', '2026-11-26 08:00:00.5', true],
    ['G@x:age<7d', '2026-11-20T12:00:00Z', true],
    ['G@x:age<7d', '2026-11-19T12:00:00Z', false],
    ['G@x:age>=7d', '2026-11-19T12:00:00Z', true],
    ['G@x:age<1h', '2026-11-26T11:30:00Z', true],
    ['G@x:age>1h30m age<3h', '2026-11-26T10:00:00Z', true],
    ['G@x:age<1s', 'now', true],
    ['G@x:age>0s', 'now', false],
    ['G@x:>=2026-11-26', 'now', true],
    ['G@x:age<7d', 'yesterday', false],
    ['G@x:age<7d', nowMs, false],
    ['G@x:>2026-01-01', '2026-13-01', false],
    ['G@x:>2026-01-01', 2027, false],
  ])('of dates and ages: %s on %j is %s', (text, value, verdict) => {
    expect(holds(text, value)).toBe(verdict);
  });

  it.each([
    ['G@x:!=debian', 'alpine', true],
    ['G@x:!=debian', 'Debian', false],
    ['G@x:!=5', '5.0', false],
    ['G@x:!=5', null, true],
    ['G@x:!=2.1.0', '2.1', false],
    ['G@x:!=web', ['web', 'db'], false],
    ['G@x:!=web', ['db'], true],
    ['G@x:>=2.1.0 !=2.2.0', '2.2.0', false],
    ['G@x:>=2.1.0 !=2.2.0', '2.3.0', true],
    ['G@x:!=a', { b: 1 }, false],
    ['G@x:!=a', [], false],
  ])('!= wants a value and none that is equal: %s on %j is %s', (text, value, verdict) => {
    expect(holds(text, value)).toBe(verdict);
  });

  it('never holds where there is nothing to compare', () => {
    expect(select('G@y:>1 or G@y:!=1 or I@x:!=1', [device('one', { x: 1 })])).toEqual([]);
  });

  it('compares tags as well', () => {
    expect(select('I@weight:>9', [device('a', {}, { weight: '10' }), device('b', {}, { weight: '9' })])).toEqual(['a']);
  });

  it.each([
    ['G@x:>5', 3, 'grain x is 3'],
    ['G@x:>5', undefined, 'the device has no grain x'],
    ['G@x:!=web', ['web', 'db'], 'grain x:0 is "web"'],
  ])('%s on %j is explained: %s', (text, value, reason) => {
    const fleet = [device('one', value === undefined ? {} : { x: value })];
    expect(explainSelector(parseSelector(text), fleet, nowMs, 'one').reason).toBe(reason);
  });
});
