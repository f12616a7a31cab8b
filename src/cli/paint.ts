import { styleText } from 'node:util';

export type Style = 'red' | 'green' | 'yellow' | 'cyan' | 'dim' | 'bold';

export function paint(style: Style | undefined, text: string, color: boolean): string {
  return style === undefined || !color || text === '' ? text : styleText(style, text, { validateStream: false });
}

/** The colour of a state word, everywhere the same. */
export function styleOfState(state: string): Style | undefined {
  return stateStyles[state];
}

const stateStyles: Record<string, Style> = {
  accepted: 'green',
  succeeded: 'green',
  committed: 'green',
  already: 'green',
  completed: 'green',
  passed: 'green',
  ok: 'green',
  applied: 'green',
  reviewed: 'green',
  registered: 'green',
  connected: 'green',
  pending: 'yellow',
  sent: 'yellow',
  unreviewed: 'yellow',
  paused: 'yellow',
  warn: 'yellow',
  unknown: 'yellow',
  'timed-out': 'yellow',
  expired: 'yellow',
  'rolled-back': 'red',
  failed: 'red',
  rejected: 'red',
  quarantined: 'red',
  revoked: 'red',
  halted: 'red',
  aborted: 'red',
  blocks: 'red',
  conflict: 'red',
  refused: 'red',
  bad: 'red',
  offline: 'dim',
  waiting: 'dim',
  queued: 'dim',
  cancelled: 'dim',
};
