/** What tells a bundle that carries the agent. */

/** `meta-product`; everything else is firmware. */
export const programProduct = 'flotilla-agent';
/** The task that writes the program. */
export const programTask = 'agent';
/** Its one resource, and the file that comes of it. */
export const programName = 'flotilla-agent.js';
export const maxProgramBytes = 16 * 1024 * 1024;
