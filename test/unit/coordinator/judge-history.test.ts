import { describe, expect, it } from 'vitest';
import { judgeHistory, type HistoryFacts } from '../../../src/coordinator/identity/judge-history.ts';

const none = '0'.repeat(16);
const ours = 'c'.repeat(16);
const theirs = 'd'.repeat(16);

const facts = (over: Partial<HistoryFacts>): HistoryFacts => ({
  instanceId: 'a1',
  knownCoordinatorInstanceId: ours,
  ownInstanceId: ours,
  stored: false,
  ...over,
});

describe('the history of a device that connects', () => {
  it.each<[string, Partial<HistoryFacts>, string]>([
    ['never was here', { knownCoordinatorInstanceId: none }, 'new'],
    ['goes on', { lastInstanceId: 'a1', stored: true }, 'same'],
    ['goes on before anything of it was stored', { lastInstanceId: 'a1' }, 'same'],
    ['has a new data folder', { lastInstanceId: 'b2', knownCoordinatorInstanceId: none }, 'wiped'],
    ['had an older image restored and took a new id', { lastInstanceId: 'b2' }, 'set-back'],
    ['comes from staging, never was here', { knownCoordinatorInstanceId: theirs }, 'moved'],
    [
      'was here, and comes with a storage from staging',
      { lastInstanceId: 'b2', knownCoordinatorInstanceId: theirs },
      'moved',
    ],
    ['has the storage back that it had before the last', { lastInstanceId: 'b2', stored: true }, 'returned'],
    [
      'was here, went to staging, and is back',
      { lastInstanceId: 'a1', stored: true, knownCoordinatorInstanceId: theirs },
      'same',
    ],
  ])('that %s', (_, over, outcome) => {
    expect(judgeHistory(facts(over))).toBe(outcome);
  });
});
