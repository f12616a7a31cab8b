/**
 * The program on a device: the link's loop, grains, jobs, updates. One SQLite database holds the log and all state, so
 * that an effect and the event that tells of it are one transaction. Real wiring stands in src/bin/agent.ts.
 */
export { createAgent, type Agent, type AgentOption } from './agent.ts';
export type { Link, LinkStatus, LinkState } from './link/port.ts';
export { updateTable, maxEntries, transition, type UpdateHappening } from './updater/transition.ts';
export type { DeviceUpdateState, Update } from './updater/update.ts';
