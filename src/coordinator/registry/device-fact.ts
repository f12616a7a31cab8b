import type { FactRecord } from '../../selector/index.ts';
import type { DeviceRow } from '../../store/row.ts';

/** The grain under which the coordinator's own knowledge stands; what a device reports by this name is not seen. */
export const coordinatorGrain = 'flotilla';

/**
 * What the coordinator knows of a device, as selectors see it: `G@flotilla:connected:true`. Nothing in it goes stale by
 * itself: a connected device is seen `now`, whatever time that is when somebody asks.
 */
export function deviceFacts(device: DeviceRow, isConnected: boolean): FactRecord {
  const { state, createdAtMs, sinceMs, address, agentVersion, running, hold, replaces, replacedBy } = device;
  const lastSeen = isConnected ? 'now' : sinceMs === undefined ? undefined : isoSecond(sinceMs);
  const firmware =
    running === undefined
      ? undefined
      : defined({
          version: running.version,
          uuid: running.bundleUuid,
          slot: running.slot,
        });
  return defined({
    state,
    connected: isConnected,
    created: isoSecond(createdAtMs),
    last_seen: lastSeen,
    address: address,
    agent_version: agentVersion,
    firmware,
    hold: state === 'quarantined' ? hold?.by : undefined,
    replaces,
    replaced_by: replacedBy,
  });
}

/** Whole seconds: devices that came and went together share a value. */
function isoSecond(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

function defined(facts: Record<string, unknown>): FactRecord {
  const kept: FactRecord = {};
  for (const [name, value] of Object.entries(facts)) if (value !== undefined) kept[name] = value;
  return kept;
}
