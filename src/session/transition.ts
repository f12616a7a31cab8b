/**
 * Who may say what when. A row is a state, a column an input, the cell the next state; no cell = it may not come, and
 * nothing changes. Frames are inputs by their message's kind; `admit`, `refuse` and `end` are our own acts.
 */
import { FrameType } from '../protocol/frame.ts';

export type Role = 'device' | 'coordinator';

export type SessionState =
  | 'greeting' // device: HELLO is sent, nothing but an answer to it may come
  | 'awaiting' // coordinator: nothing but HELLO may come
  | 'deciding' // coordinator: HELLO is with the core; nothing at all may come
  | 'live'
  | 'closed';

export type FrameName = keyof typeof FrameType;
export type SessionInput = FrameName | 'admit' | 'refuse' | 'end';

type Row = Partial<Record<SessionInput, SessionState>>;

const rows = {
  define: 'live',
  event: 'live',
  batch: 'live',
  gap: 'live',
  ack: 'live',
  nack: 'live',
} as const satisfies Row;
const granted = { credit: 'live' } as const satisfies Row;
const life = { ping: 'live', pong: 'live', chunk: 'live', goaway: 'closed', end: 'closed' } as const satisfies Row;

export const transitions: Readonly<Record<Role, Readonly<Partial<Record<SessionState, Row>>>>> = {
  device: {
    greeting: { welcome: 'live', reject: 'closed', goaway: 'closed', end: 'closed' },
    live: { ...rows, ...granted, ...life },
    closed: {},
  },
  coordinator: {
    awaiting: { hello: 'deciding', end: 'closed' },
    deciding: { admit: 'live', refuse: 'closed', end: 'closed' },
    live: { ...rows, ...life },
    closed: {},
  },
};

export function nextState(role: Role, state: SessionState, input: SessionInput): SessionState | undefined {
  return transitions[role][state]?.[input];
}

const frameNames = new Map(Object.entries(FrameType).map(([name, type]) => [type as number, name as FrameName]));

export function frameName(type: number): FrameName | undefined {
  return frameNames.get(type);
}
