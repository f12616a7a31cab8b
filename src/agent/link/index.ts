/** The agent's link: a session with the coordinator that is always being kept or being made again. */
export { createLink } from './link.ts';
export { defaultBackoff, type Backoff, type LinkEndpoint, type LinkIdentity, type LinkOption } from './link-option.ts';
export type { Link, LinkState, LinkStatus } from './port.ts';
