import type { SchemaSource } from '../../eventlog/schema/index.ts';
import type { ParkedRow, SchemaRow } from '../../store/row.ts';

/** The registry of event schemas. Changed through a Turn only. */
export interface SchemaState {
  /** Every schema, by what names it. */
  readonly bySha256: Map<string, SchemaRow>;
  /** Who reads these bytes. A registered schema goes before what a device told: a CRC is no proof. */
  readonly byFingerprint: Map<string, SchemaRow>;
  /** Of each event type the newest that an operator has registered. */
  readonly newest: Map<string, SchemaRow>;
  /** Events whose schema is not known, by fingerprint; '' counts those of fingerprints beyond the bound. */
  readonly parked: Map<string, ParkedRow>;
}

export function loadSchemaState(schemas: readonly SchemaRow[], parked: readonly ParkedRow[]): SchemaState {
  const state: SchemaState = {
    bySha256: new Map(),
    byFingerprint: new Map(),
    newest: new Map(),
    parked: new Map(parked.map((row) => [row.fingerprint, row])),
  };
  for (const row of schemas) indexSchema(state, row, (map, key, value) => map.set(key, value));
  return state;
}

/** Puts a schema where it is looked for. */
export function indexSchema(
  state: SchemaState,
  row: SchemaRow,
  set: <K, V>(map: Map<K, V>, key: K, value: V) => void,
): void {
  set(state.bySha256, row.sha256, row);
  const reviewed = row.state === 'reviewed';
  if (reviewed || !state.byFingerprint.has(row.fingerprint)) set(state.byFingerprint, row.fingerprint, row);
  const newest = state.newest.get(row.type);
  if (reviewed && (newest === undefined || newest.version! <= row.version!)) set(state.newest, row.type, row);
}

/** Registered versions of a type, the oldest first. */
export function reviewedOf(state: SchemaState, type: string): SchemaRow[] {
  return [...state.bySha256.values()]
    .filter((row) => row.type === type && row.state === 'reviewed')
    .toSorted((a, b) => a.version! - b.version!);
}

/** What gateways may read rows in columns with: fingerprint to text. Never what only a device told. */
export function columnSchemas(state: SchemaState): Record<string, string> {
  const reviewed = [...state.byFingerprint.values()].filter((row) => row.state === 'reviewed');
  return Object.fromEntries(reviewed.map(({ fingerprint, text }) => [fingerprint, text]));
}

/** For reading payloads: the registry as it is at each call. */
export function schemaSource(state: SchemaState): SchemaSource {
  return {
    writer: (fingerprint) => state.byFingerprint.get(fingerprint),
    newest: (type) => state.newest.get(type),
  };
}
