import { describe, expect, it } from 'vitest';
import { FrameType } from '../../../src/protocol/frame.ts';
import {
  nextState,
  transitions,
  type Role,
  type SessionInput,
  type SessionState,
} from '../../../src/session/transition.ts';

const inputs = [...Object.keys(FrameType), 'admit', 'refuse', 'end'] as SessionInput[];
const may = (role: Role, state: SessionState): string[] =>
  inputs.filter((input) => nextState(role, state, input) !== undefined);

describe('the table of transitions', () => {
  it('lets nothing but HELLO come before it is answered', () => {
    expect(may('coordinator', 'awaiting')).toEqual(['hello', 'end']);
    expect(may('coordinator', 'deciding')).toEqual(['admit', 'refuse', 'end']);
    expect(may('device', 'greeting')).toEqual(['welcome', 'reject', 'goaway', 'end']);
  });

  it('is closed for good once closed', () => {
    for (const role of ['device', 'coordinator'] as const) expect(may(role, 'closed')).toEqual([]);
  });

  it('reaches live only by WELCOME or admit, and every state reaches closed', () => {
    for (const [role, states] of Object.entries(transitions)) {
      for (const [state, row] of Object.entries(states)) {
        for (const [input, next] of Object.entries(row)) {
          if (next === 'live' && state !== 'live')
            expect([role, input]).toEqual(role === 'device' ? ['device', 'welcome'] : ['coordinator', 'admit']);
        }
        if (state !== 'closed') expect(row).toHaveProperty('end', 'closed');
      }
    }
  });

  it('lets only a coordinator grant credit', () => {
    expect(nextState('device', 'live', 'credit')).toBe('live');
    expect(nextState('coordinator', 'live', 'credit')).toBeUndefined();
  });

  it('never takes a reserved type', () => {
    for (const role of ['device', 'coordinator'] as const) {
      for (const state of ['greeting', 'awaiting', 'deciding', 'live', 'closed'] as const) {
        for (const input of ['ext'] as const) expect(nextState(role, state, input)).toBeUndefined();
      }
    }
  });
});
