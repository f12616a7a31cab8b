import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CoreState } from '../../../../src/coordinator/core/core-state.ts';
import { Turn } from '../../../../src/coordinator/core/turn.ts';
import type { GatewayPort } from '../../../../src/coordinator/gateway/port.ts';
import { newDevice, reduceDevice, type DeviceInput } from '../../../../src/coordinator/registry/reduce-device.ts';
import { Registry } from '../../../../src/coordinator/registry/registry.ts';
import { RegistryTarget } from '../../../../src/coordinator/registry/registry-target.ts';
import { parseSelector, selectIds } from '../../../../src/selector/index.ts';
import { selectSet } from '../../../../src/selector/plan/index.ts';

const nowMs = Date.UTC(2026, 10, 26, 12);
/** Two hours after everything: nothing is told to the registry in between. */
const laterMs = nowMs + 7_200_000;
const ids = ['gw-1', 'gw-2', 'web-1', 'web-2', 'x'];
const expressions = [
  '*',
  'gw-*',
  'G@flotilla:connected:true',
  'not G@flotilla:connected:true',
  'G@flotilla:state:quarantined or G@flotilla:hold:clone',
  'G@flotilla:firmware:uuid:u1 and G@site:fra',
  'G@flotilla:last_seen:now',
  'G@flotilla:last_seen:2026-*',
  'G@flotilla:last_seen:"age<1h"',
  'G@flotilla:last_seen:age<1h',
  'G@flotilla:last_seen:age>=1h and not G@flotilla:agent_version:>=1.3.0',
  '#2@ and not %50@x',
  'G@flotilla:firmware:*',
  'G@site:fra not I@ring:canary',
  'G@*:fra',
  'G@flotilla:agent_version:1.*',
];

type Input = Partial<DeviceInput> | 'add' | 'remove' | 'live' | 'gone';
const input = fc.constantFrom<Input>(
  'add',
  'remove',
  'live',
  'gone',
  { kind: 'accept' },
  { kind: 'reject' },
  { kind: 'quarantine', hold: { by: 'clone', reason: 'two' } },
  { kind: 'connect', address: '10.0.0.1', agentVersion: '1.2.3', instanceId: 'i', serial: 's' },
  { kind: 'disconnect', receivedBytes: 1, sentBytes: 1 },
  { kind: 'boot', running: { bootId: 'b', bundleUuid: 'u1', version: '2.0.0' }, agentVersion: '1.3.0' },
  { kind: 'grains', grains: { site: 'fra' } },
  { kind: 'grains', grains: { site: 'zrh', flotilla: { connected: true } } },
  { kind: 'tag', set: { ring: 'canary' }, unset: [] },
  { kind: 'tag', set: {}, unset: ['ring'] },
);
/** Inputs of one turn; a turn that is not kept is undone, as after a commit that failed. */
const turns = fc.array(
  fc.record({ steps: fc.array(fc.tuple(fc.constantFrom(...ids), input), { maxLength: 8 }), isKept: fc.boolean() }),
  { maxLength: 6 },
);

function apply(turn: Turn, id: string, step: Input): void {
  const { devices, live } = turn.state;
  const device = devices.get(id);
  if (step === 'add') turn.set(devices, id, newDevice(id, 'pending', nowMs));
  else if (step === 'remove') turn.delete(devices, id);
  else if (step === 'gone') turn.delete(live, id);
  else if (step === 'live') turn.set(live, id, {} as never);
  else if (device !== undefined) turn.set(devices, id, reduceDevice(device, step as DeviceInput, nowMs));
}

describe('the registry', () => {
  it('is what the maps of the core hold, after every change and every undo', () => {
    const property = fc.property(turns, (happened) => {
      const registry = new Registry<never>();
      const state = { devices: registry.devices, live: registry.live } as unknown as CoreState;
      for (const { steps, isKept } of happened) {
        const turn = new Turn(state, () => ({}) as GatewayPort, nowMs);
        const start = turn.mark();
        for (const [id, step] of steps) apply(turn, id, step);
        if (!isKept) turn.rollback(start);
        const known = [...registry.devices.values()];
        const targets = known.map((device) => new RegistryTarget(device, registry.live.has(device.id)));
        const accepted = targets.filter(({ device }) => device.state === 'accepted');
        expect(registry.acceptedCount).toBe(accepted.length);
        for (const text of expressions) {
          const selector = parseSelector(text);
          for (const askedMs of [nowMs, laterMs]) {
            const select = (within = registry.index.all): string[] =>
              registry.index.idsOf(selectSet(registry.index, selector.compiled, { within, nowMs: askedMs }));
            expect(select()).toEqual(selectIds(selector, targets, askedMs));
            expect(select(registry.accepted)).toEqual(selectIds(selector, accepted, askedMs));
          }
        }
      }
    });
    fc.assert(property, { numRuns: 150 });
  });

  it('knows what no device can claim', () => {
    const registry = new Registry<object>();
    const claims = { flotilla: { state: 'accepted', connected: true } };
    registry.devices.set('x', { ...newDevice('x', 'pending', nowMs), grains: claims });
    const select = (text: string): string[] =>
      registry.index.idsOf(selectSet(registry.index, parseSelector(text).compiled, { nowMs }));
    expect(select('G@flotilla:state:accepted')).toEqual([]);
    expect(select('G@flotilla:connected:true')).toEqual([]);
    expect(select('G@flotilla:state:pending and not G@flotilla:last_seen:*')).toEqual(['x']);
    registry.live.set('x', {});
    expect(select('G@flotilla:connected:true and G@flotilla:last_seen:now')).toEqual(['x']);
    registry.live.delete('x');
    expect(select('G@flotilla:connected:true')).toEqual([]);
  });
});
