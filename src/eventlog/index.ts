/**
 * Event logs: append, cursors, what could not be delivered. Here the device's side: an outbox of events and an inbox of
 * requests in the agent's own SQLite database.
 */
export type { DeviceLog, LogSlice, LogState, StoredRequest, Meeting } from './device-log.ts';
export type { LeftOut } from './gap-table.ts';
export type { DeviceLogOption, RetentionRule } from './log-limit.ts';
export { createDeviceLog } from './sqlite-device-log.ts';
export { atomically, openDeviceDatabase } from './open-device-database.ts';
export { freeRoom, wholeRoom } from './free-room.ts';
export { isLogFull } from './log-pressure.ts';
export { jsonRow, parseJsonRow } from './json-row.ts';
