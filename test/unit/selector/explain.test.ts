import { describe, expect, it } from 'vitest';

import { explainSelector, parseSelector, type Explanation } from '../../../src/selector/index.ts';
import { device, nowMs } from './fleet.ts';

const fleet = [
  device('web-1', { site: 'harbour', roles: ['web', 'db'], fw: { version: '2.1.0' } }, { ring: 'canary' }),
  device('web-2', { site: 'harbour', ipv4: ['10.0.0.2'] }),
  device('web-3', { site: 'airport' }),
];

function explain(text: string, deviceId?: string): Explanation {
  return explainSelector(parseSelector(text), fleet, nowMs, deviceId);
}

describe('an explanation', () => {
  it('counts each part by itself', () => {
    expect(explain('G@site:harbour and not (I@ring:canary or web-3)')).toEqual({
      text: 'G@site:harbour and not ( I@ring:canary or web-3 )',
      kind: 'and',
      matched: 1,
      children: [
        { text: 'G@site:harbour', kind: 'fact', matched: 2, children: [] },
        {
          text: 'not ( I@ring:canary or web-3 )',
          kind: 'not',
          matched: 1,
          children: [
            {
              text: 'I@ring:canary or web-3',
              kind: 'or',
              matched: 2,
              children: [
                { text: 'I@ring:canary', kind: 'fact', matched: 1, children: [] },
                { text: 'web-3', kind: 'id-glob', matched: 1, children: [] },
              ],
            },
          ],
        },
      ],
    });
  });

  it('gives a verdict for every part for one device', () => {
    const { verdict, children } = explain('G@site:harbour and not I@ring:canary', 'web-1');
    expect([verdict, ...children.map((child) => child.verdict), children[1]?.children[0]?.verdict]).toEqual([
      false,
      true,
      false,
      true,
    ]);
  });

  it.each([
    ['G@site:harbour', 'web-1', 'grain site is "harbour"'],
    ['G@site:nowhere', 'web-1', 'grain site is "harbour"'],
    ['G@fw:version:3.*', 'web-1', 'grain fw:version is "2.1.0"'],
    ['G@fw:version', 'web-1', "grain fw is {'version': '2.1.0'}"],
    ['G@roles:db', 'web-1', 'grain roles:1 is "db"'],
    ['G@roles:gpu', 'web-1', 'grain roles:0 is "web", roles:1 is "db"'],
    ['G@nosuch:x', 'web-1', 'the device has no grain nosuch'],
    ['I@ring:canary', 'web-2', 'the device has no tag ring'],
    ['L@web-2,web-3', 'web-1', 'web-1 is not in the list of 2'],
    ['L@web-2,web-3', 'web-2', 'web-2 is in the list'],
    ['E@web', 'web-1', 'the id is web-1'],
    ['S@10.0.0.0/8', 'web-2', 'its addresses are 10.0.0.2'],
    ['S@10.0.0.0/8', 'web-1', 'the device reports no address'],
  ])('of %s says what was found on %s: %s', (text, id, reason) => {
    expect(explain(text, id).reason).toBe(reason);
  });

  it('refuses a device that is not in the fleet', () => {
    expect(() => explain('*', 'nosuch')).toThrow(
      expect.objectContaining({ code: 'selector-unknown-device', fault: 'usage' }),
    );
  });
});
