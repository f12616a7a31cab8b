import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SelectorNode } from '../../../../src/selector/ast.ts';
import { explainSelector, parseSelector, selectIds, Selector, type Target } from '../../../../src/selector/index.ts';
import { explainPlan, FleetIndex, selectSet } from '../../../../src/selector/plan/index.ts';
import { change, device, tree } from './random-fleet.ts';

const nowMs = Date.UTC(2026, 0, 2);

/** The index beside a plain map, which is the fleet that the reference walks. */
class Twin {
  readonly index = new FleetIndex();
  readonly fleet = new Map<string, Target>();

  take(one: Target | string): void {
    if (typeof one === 'string') {
      this.index.delete(one);
      this.fleet.delete(one);
    } else {
      this.index.put(one);
      this.fleet.set(one.id, one);
    }
  }

  byPlan(root: SelectorNode): string[] {
    return this.index.idsOf(selectSet(this.index, new Selector('', root).compiled, { nowMs }));
  }

  byWalk(root: SelectorNode): string[] {
    return selectIds(new Selector('', root), this.fleet.values(), nowMs);
  }
}

describe('the plan', () => {
  it('means the devices that the reference means, whatever came, changed and went before', () => {
    const property = fc.property(
      fc.array(device, { maxLength: 12 }),
      fc.array(fc.tuple(change, tree), { maxLength: 8 }),
      tree,
      (first, steps, last) => {
        const twin = new Twin();
        for (const one of first) twin.take(one);
        expect(twin.byPlan(last)).toEqual(twin.byWalk(last));
        for (const [one, root] of steps) {
          twin.take(one);
          expect(twin.byPlan(root)).toEqual(twin.byWalk(root));
        }
        expect(twin.byPlan(last)).toEqual(twin.byWalk(last));
      },
    );
    fc.assert(property, { numRuns: 250 });
  });

  it.each([
    ['G@x:a:b', { x: { 'a:b': 1 } }],
    ['G@x:a:b', { x: { 'a:b': { deeper: [] } } }],
    ['G@x:a', { x: { a: {} } }],
    ['G@x:1:web', { x: ['db', 'web'] }],
    ['G@x:*:web', { x: [{ role: 'web' }] }],
    ['G@**:web', { x: { y: [{ z: { role: ['web'] } }] } }],
    ['G@x:TRUE', { x: true }],
    ['G@" x":1', { x: 1 }],
    ['G@__proto__:x', JSON.parse('{"__proto__":"x"}') as object],
    ['G@x:>=2.1.0', { x: { y: '1.0.0' }, z: '3.0.0' }],
    ['G@x:!=3', { x: [3, 4] }],
  ])('means by %s what the reference means of %j', (text, grains) => {
    const twin = new Twin();
    const root = parseSelector(text).root;
    twin.take({ id: 'it', grains: grains as Record<string, unknown>, tags: {} });
    twin.take({ id: 'other', grains: { y: 1 }, tags: grains as Record<string, unknown> });
    expect(twin.byPlan(root)).toEqual(twin.byWalk(root));
  });

  it('obeys the laws of sets', () => {
    const property = fc.property(fc.array(device, { maxLength: 12 }), tree, tree, tree, (devices, a, b, c) => {
      const twin = new Twin();
      for (const one of devices) twin.take(one);
      const select = (root: SelectorNode): string[] => twin.byPlan(root);
      const not = (operand: SelectorNode): SelectorNode => ({ kind: 'not', operand });
      const and = (...operands: SelectorNode[]): SelectorNode => ({ kind: 'and', operands });
      const or = (...operands: SelectorNode[]): SelectorNode => ({ kind: 'or', operands });
      expect(select(not(and(a, b)))).toEqual(select(or(not(a), not(b))));
      expect(select(not(or(a, b)))).toEqual(select(and(not(a), not(b))));
      expect(select(not(not(a)))).toEqual(select(a));
      expect(select(and(a, b))).toEqual(select(and(b, a)));
      expect(select(and(a, or(b, c)))).toEqual(select(or(and(a, b), and(a, c))));
      expect(select(and(a, not(a)))).toEqual([]);
      expect(select(or(a, not(a)))).toHaveLength(twin.fleet.size);
    });
    fc.assert(property, { numRuns: 100 });
  });

  it('keeps to the set that it is given, and draws its samples there', () => {
    const property = fc.property(fc.array(device, { maxLength: 12 }), tree, tree, (devices, root, inside) => {
      const twin = new Twin();
      for (const one of devices) twin.take(one);
      const within = selectSet(twin.index, new Selector('', inside).compiled, { nowMs });
      const found = twin.index.idsOf(selectSet(twin.index, new Selector('', root).compiled, { within, nowMs }));
      const those = twin.byWalk(inside).map((id) => twin.fleet.get(id)!);
      expect(found).toEqual(selectIds(new Selector('', root), those, nowMs));
    });
    fc.assert(property, { numRuns: 100 });
  });

  it('explains what the reference explains', () => {
    const property = fc.property(
      fc.uniqueArray(device, { maxLength: 8, selector: ({ id }) => id }),
      tree,
      (devices, root) => {
        const twin = new Twin();
        for (const one of devices) twin.take(one);
        const selector = new Selector('', root);
        for (const deviceId of [undefined, devices[0]?.id]) {
          expect(explainPlan(selector, twin.index, { nowMs, deviceId })).toEqual(
            explainSelector(selector, devices, nowMs, deviceId),
          );
        }
      },
    );
    fc.assert(property, { numRuns: 100 });
  });

  it('forgets a fleet that is gone', () => {
    const index = new FleetIndex();
    for (let n = 0; n < 3_000; n += 1) index.put({ id: `d-${n}`, grains: { [`k${n}`]: { n }, os: 'x' }, tags: {} });
    for (let n = 0; n < 3_000; n += 1) index.delete(`d-${n}`);
    expect(index.size).toBe(0);
    expect(index.grains.root.children.size).toBe(0);
    index.put({ id: 'd-1', grains: { os: 'x' }, tags: {} });
    expect(index.room).toBe(3_000);
    expect(
      index.idsOf(selectSet(index, new Selector('', { kind: 'id-glob', pattern: 'd-*' }).compiled, { nowMs })),
    ).toEqual(['d-1']);
  });
});
