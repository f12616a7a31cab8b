/**
 * Event logs: append, cursors, what could not be delivered. Here the device's side: an outbox of events and an inbox of
 * requests in the agent's own SQLite database.
 */
export type { DeviceLog, StoredRequest } from './device-log.ts';
export { createDeviceLog, type DeviceLogOption } from './sqlite-device-log.ts';
export { atomically, openDeviceDatabase } from './open-device-database.ts';
export { jsonRow, parseJsonRow } from './json-row.ts';
export { readWaiting, type WaitingLane } from './waiting-row.ts';
