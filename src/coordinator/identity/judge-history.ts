/** Which history a device goes on with: its own, or one that says that something has happened to its storage. */
export interface HistoryFacts {
  /** Of HELLO, as hex. */
  instanceId: string;
  /** The coordinator whose requests the device has last met; 16 zeros: none. */
  knownCoordinatorInstanceId: string;
  ownInstanceId: string;
  /** What the device wrote under when it was last here; absent: it never was. */
  lastInstanceId?: string;
  /** Is something stored of this instance? */
  stored: boolean;
}

export const historyOutcomes = {
  /** The first connection of this device. */
  new: 'its first connection',
  /** Nothing has happened. */
  same: 'it goes on',
  /** Its data folder was made anew. */
  wiped: 'its storage is new: what it had not sent is lost, jobs that were under way are unknown',
  /** Its storage was older than what is stored here (a restored image): it goes on under a new instance. */
  'set-back': 'its storage was older than what is stored here: it goes on as another history',
  /** Its storage comes from another fleet's or a staging coordinator. */
  moved: 'its storage belonged to another coordinator: what that one has acknowledged stays there',
  /** A storage that was here before another one. */
  returned: 'an earlier storage of it is back, or the device after it was removed',
} as const;
export type HistoryOutcome = keyof typeof historyOutcomes;

const none = '0'.repeat(16);

export function judgeHistory(facts: HistoryFacts): HistoryOutcome {
  const { instanceId, lastInstanceId, knownCoordinatorInstanceId: known, ownInstanceId, stored } = facts;
  if (lastInstanceId === instanceId) return 'same';
  if (stored) return 'returned';
  if (known !== none && known !== ownInstanceId) return 'moved';
  if (lastInstanceId === undefined) return 'new';
  return known === none ? 'wiped' : 'set-back';
}
