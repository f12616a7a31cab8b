/** What is made once, before the link works: a fleet in its folder. */
export { type CreateFleetOption, type CreatedFleet, checkFleetTarget, createFleet } from './create-fleet.ts';
export { createFleetId } from './fleet-id.ts';
