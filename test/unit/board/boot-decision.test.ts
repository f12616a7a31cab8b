import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideBoot } from '../../../src/board/boot-decision.ts';

const slots = ['a', 'b'] as const;
const decide = (variables: Record<string, string>) => decideBoot(new Map(Object.entries(variables)), slots);

describe('the boot loader', () => {
  it('starts the active slot and writes nothing when no upgrade is on trial', () => {
    expect(decide({ active_slot: 'b', upgrade_available: '0', bootcount: '9', bootlimit: '1' })).toEqual({
      slot: 'b',
      changes: {},
      bootCount: 0,
    });
  });

  it('starts the first slot when the environment names none', () => {
    for (const variables of [{}, { active_slot: '' }, { active_slot: 'c' }, { active_slot: 'B' }]) {
      expect(decide(variables).slot).toBe('a');
    }
  });

  it('counts each boot of an unproven slot before it starts it', () => {
    expect(decide({ active_slot: 'b', upgrade_available: '1', bootcount: '0', bootlimit: '2' })).toEqual({
      slot: 'b',
      changes: { bootcount: '1' },
      bootCount: 1,
    });
  });

  it('gives an unproven slot exactly bootlimit boots, then the other slot for good', () => {
    const environment: Record<string, string> = {
      active_slot: 'b',
      upgrade_available: '1',
      bootcount: '0',
      bootlimit: '3',
    };
    const booted: string[] = [];
    for (let boot = 0; boot < 6; boot++) {
      const { slot, changes } = decide(environment);
      booted.push(slot);
      Object.assign(environment, changes);
    }
    expect(booted).toEqual(['b', 'b', 'b', 'a', 'a', 'a']);
    expect(environment).toMatchObject({ active_slot: 'a', upgrade_available: '0', bootcount: '0' });
  });

  it('takes a number that is none for 0, as U-Boot does', () => {
    const unread = decide({ active_slot: 'a', upgrade_available: '1', bootcount: 'many', bootlimit: '1' });
    expect(unread).toMatchObject({ slot: 'a', changes: { bootcount: '1' } });
    expect(decide({ active_slot: 'a', upgrade_available: '1', bootcount: '1', bootlimit: '-' })).toMatchObject({
      slot: 'b',
      gaveUp: 'a',
    });
  });

  it('never loops on an unproven slot, whatever the environment says, if there is a limit', () => {
    const text = fc.oneof(fc.string({ maxLength: 4 }), fc.nat({ max: 5 }).map(String));
    const variables = fc.record(
      {
        active_slot: text,
        upgrade_available: fc.constantFrom('0', '1', ''),
        bootcount: text,
        bootlimit: fc.nat({ max: 5 }).map(String),
      },
      { requiredKeys: ['bootlimit'] },
    );
    fc.assert(
      fc.property(variables, (start) => {
        const environment: Record<string, string> = { ...start };
        for (let boot = 0; boot < 8; boot++) Object.assign(environment, decide(environment).changes);
        expect(decide(environment).changes).toEqual({});
      }),
    );
  });
});
