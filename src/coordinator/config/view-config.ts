import type { ConfigDifference, ConfigState, ConfigSummary, ConfigView } from '../../client/contract/config.ts';
import { isAnnounced, neededType, type Outbox, type Taker } from '../request/outbox.ts';
import { isRejected, isTakenUp, type ConfigDocument } from './config-document.ts';
import { differingPaths, valueAt } from './merge-document.ts';

/** Where a document stands; the outbox says whether it has left. */
export function summarizeConfig(config: ConfigDocument, outbox: Outbox, taker: Taker): ConfigSummary {
  const { name, desired, reported } = config;
  const { state, reason } = stateOf(config, outbox, taker);
  return {
    name,
    state,
    ...(reason === undefined ? {} : { reason }),
    ...(desired === undefined ? {} : { version: desired.version }),
    ...(reported === undefined ? {} : { revision: reported.revision }),
  };
}

export function viewConfig(config: ConfigDocument, outbox: Outbox, taker: Taker): ConfigView {
  const { deviceId, base, desired, reported, contest } = config;
  const { given: _, ...shown } = desired ?? { given: undefined };
  return {
    deviceId,
    ...summarizeConfig(config, outbox, taker),
    ...(contest !== undefined ? { base: contest.base } : base === undefined ? {} : { base }),
    ...(desired === undefined ? {} : { desired: shown as NonNullable<ConfigView['desired']> }),
    ...(reported === undefined ? {} : { reported }),
    differences: differences(config),
  };
}

/** Why a request waits although its device is there; undefined when it may be sent. */
export function holdReason(row: Pick<Outbox[number], 'type' | 'payload'>, taker: Taker): string | undefined {
  if (isAnnounced(row, taker)) return undefined;
  const agent = taker.agentVersion === undefined ? 'its agent' : `agent ${taker.agentVersion}`;
  return `needs ${neededType(row)}, which ${agent} does not announce`;
}

function stateOf(config: ConfigDocument, outbox: Outbox, taker: Taker): { state: ConfigState; reason?: string } {
  const { name, desired, rejection, contest, deliveredVersion } = config;
  if (contest !== undefined) return { state: 'conflict' };
  if (desired === undefined) return { state: 'local' };
  if (isTakenUp(config)) return { state: 'applied' };
  if (isRejected(config)) {
    return { state: 'rejected', ...(rejection?.reason === undefined ? {} : { reason: rejection.reason }) };
  }
  const rows = outbox.filter(({ type, key }) => type === 'config.desired' && key === name);
  if (deliveredVersion >= desired.version) return { state: 'sent' };
  const unsent = rows.find(({ seq }) => seq === undefined);
  if (unsent === undefined && rows.length > 0) return { state: 'sent' };
  const reason = unsent === undefined ? undefined : holdReason(unsent, taker);
  return { state: 'pending', ...(reason === undefined ? {} : { reason }) };
}

function differences({ desired, reported, base, contest }: ConfigDocument): ConfigDifference[] {
  if (desired === undefined || reported === undefined) return [];
  const contested = new Set(contest?.conflicts.map(({ path }) => path));
  const apart = differingPaths(desired.document, reported.document).filter(
    (path) => ![...contested].some((one) => one === path || path.startsWith(`${one}/`)),
  );
  const conflicts = (contest?.conflicts ?? []).map((conflict) => ({ ...conflict, conflict: true }));
  return [
    ...conflicts,
    ...apart.map((path) => ({
      path,
      conflict: false,
      ...present('base', valueAt(contest?.base ?? base, path)),
      ...present('desired', valueAt(desired.document, path)),
      ...present('reported', valueAt(reported.document, path)),
    })),
  ];
}

function present<K extends string>(key: K, value: unknown): Partial<Record<K, unknown>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, unknown>);
}
