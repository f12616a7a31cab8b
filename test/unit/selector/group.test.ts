import { describe, expect, it } from 'vitest';

import {
  explainSelector,
  formatSelector,
  groupsNamedIn,
  parseGroup,
  parseSelector,
} from '../../../src/selector/index.ts';
import { device, groupsOf, nowMs, refusal, select } from './fleet.ts';

const fleet = [
  device('web-1', { os: 'debian', site: 'fra' }),
  device('web-2', { os: 'alpine', site: 'fra' }),
  device('gw-1', { os: 'alpine', site: 'fra' }),
  device('gw-2', { os: 'alpine', site: 'zrh' }),
];

const groups = {
  pair: 'G@os:debian or gw-*',
  outer: 'N@pair and not N@single',
  single: 'gw-2',
};

describe('a named group', () => {
  it.each([
    ['N@pair', 'gw-1 gw-2 web-1'],
    ['N@pair and G@site:fra', 'gw-1 web-1'],
    ['not N@pair', 'web-2'],
    ['G@site:fra and N@pair', 'gw-1 web-1'],
    ['N@outer', 'gw-1 web-1'],
    ['(N@outer)or N@single', 'gw-1 gw-2 web-1'],
  ])('is a part of its own: %s', (text, ids) => {
    expect(select(text, fleet, groups).join(' ')).toBe(ids);
  });

  it('is printed by its name', () => {
    const text = 'N@outer and not N@single';
    expect(formatSelector(parseSelector(text, groupsOf(groups)))).toBe(text);
  });

  it('is written out when the selector is parsed', () => {
    const changing: Record<string, string> = { one: 'web-1' };
    const selector = parseSelector('N@one', groupsOf(changing));
    changing['one'] = 'web-2';
    expect(selector.root).toMatchObject({ operand: { pattern: 'web-1' } });
  });

  it('is explained down to its terms', () => {
    const explanation = explainSelector(parseSelector('not N@single', groupsOf(groups)), fleet, nowMs);
    expect(explanation.children[0]).toMatchObject({
      text: 'N@single',
      kind: 'group',
      matched: 1,
      children: [{ text: 'gw-2', matched: 1 }],
    });
  });

  it('is found by whoever looks for its users', () => {
    expect(groupsNamedIn('N@a and (not N@b or "N@c") or N@a or E@N@d')).toEqual(['a', 'b']);
    expect(groupsNamedIn('"')).toEqual([]);
  });
});

describe('a group that cannot be had', () => {
  it('is named, with the nearest one', () => {
    const error = refusal('web-* and not N@piar', groups);
    expect(error.code).toBe('selector-unknown-group');
    expect(error.detail).toMatchObject({
      seen: 'piar',
      suggestion: 'Write N@pair.',
      position: { line: 1, column: 15 },
    });
  });

  it('inside another is told where the outer one stands', () => {
    const error = refusal('x or N@a', { a: 'N@b', b: 'y and N@c' });
    expect(error.code).toBe('selector-unknown-group');
    expect(error.message).toBe('in the group a: in the group b: there is no group c');
    expect(error.detail.position).toEqual({ line: 1, column: 6 });
  });

  it('is a malformed one', () => {
    const error = refusal('N@a', { a: 'G@os' });
    expect(error.code).toBe('selector-missing-delimiter');
    expect(error.message).toContain('in the group a: ');
  });

  it.each([
    [{ a: 'N@a' }, 'a → a'],
    [{ a: 'x or N@b', b: 'not (N@c)', c: 'N@b' }, 'b → c → b'],
    [{ a: 'N@b and N@c', b: 'x', c: 'N@d', d: 'N@a' }, 'a → c → d → a'],
  ])('leads in a circle: %j', (circle, path) => {
    const error = refusal('N@a', circle);
    expect(error.code).toBe('selector-group-loop');
    expect(error.message).toContain(`: ${path}`);
  });

  it('would lead back to the one that is being defined', () => {
    expect(() => parseGroup('pair', 'N@outer', groupsOf(groups))).toThrow(
      expect.objectContaining({ code: 'selector-group-loop', message: expect.stringContaining('pair → outer → pair') }),
    );
  });

  it('would cost more than any selector may', () => {
    const doubling = Object.fromEntries(
      Array.from({ length: 16 }, (_, index) => [`g${index}`, `${`N@g${index + 1} or `.repeat(20)}x`]),
    );
    expect(refusal('N@g0', { ...doubling, g16: 'x' }).code).toBe('selector-too-deep');
    expect(refusal('N@g8', { ...doubling, g15: 'x' }).code).toBe('selector-too-large');
  });

  it('is deeper than sixteen, wherever it is met first', () => {
    const chain = Object.fromEntries(
      Array.from({ length: 17 }, (_, index) => [`g${index}`, index === 16 ? 'x' : `N@g${index + 1}`]),
    );
    expect(parseSelector('N@g1', groupsOf(chain)).root.kind).toBe('group');
    expect(refusal('N@g0', chain).code).toBe('selector-too-deep');
    expect(refusal('N@g1 or N@g0', chain).code).toBe('selector-too-deep');
  });
});

describe('any number of groups', () => {
  it('share one tree', () => {
    const { root } = parseSelector('N@single or N@single', groupsOf(groups));
    const trees = root.kind === 'or' ? root.operands.map((node) => (node.kind === 'group' ? node.operand : node)) : [];
    expect(trees).toHaveLength(2);
    expect(trees[0]).toBe(trees[1]);
  });
});
