/**
 * One authenticated peer, sans-IO: a table of transitions (transition.ts), four lanes each way, acknowledgements,
 * keepalive and the window that keeps urgent frames from waiting. Time is an argument, effects are data.
 */
export { DeviceSession, type DeviceGreeting } from './device-session.ts';
export { CoordinatorSession, type Admission, type CoordinatorSessionOption } from './coordinator-session.ts';
export { allLanes } from './per-lane.ts';
export { Session, type SessionOption } from './session.ts';
export { defaultBulkWindow, type BulkWindowOption } from './bulk-window.ts';
export type { Close, Effect } from './effect.ts';
export { nextState, transitions, type Role, type SessionInput, type SessionState } from './transition.ts';
