/**
 * Windows: times in which something may be done. A cron expression says when one opens and a duration how long it stays
 * open, on the clocks of an IANA zone or of each device. Pure; the coordinator judges offers by it, the agent its
 * downloads, installations and restarts.
 */
export { isOpen, nextClosing, nextOpening } from './judge-window.ts';
export { cronOf, isZone } from './opening.ts';
export {
  deviceZone,
  maxDurationSeconds,
  minDurationSeconds,
  type Window,
  type WindowProblem,
  windowProblem,
  WindowSchema,
} from './window.ts';
