/**
 * Selectors on a whole fleet: an index of ids and facts that is kept up to date device by device, and the plan that
 * answers a selector from it. Pure: no clock, no IO. fleet-index holds the columns; execute binds a compiled selector
 * to them as steps (id, fact, address, scan) and runs the cheapest first. What an index can't answer is scanned. The
 * reference is evaluate.ts: a property test holds both equal.
 */
export { DeviceSet } from './device-set.ts';
export { selectSet } from './execute.ts';
export { explainPlan } from './explain-plan.ts';
export { FleetIndex } from './fleet-index.ts';
