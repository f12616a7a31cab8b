/**
 * What the commands stand on: the base command, exit codes, the way to the coordinator, and rendering (tables, human
 * times and bytes, live tables, NDJSON). Commands parse, make one client call and render with this; nothing here
 * decides anything about the fleet.
 */
export { BaseCommand } from './base-command.ts';
export { ExitCode, exitCodeOf } from './exit-code.ts';
export { openClient } from './open-client.ts';
export { asFlotillaError, formatError, reportAndExit } from './report-error.ts';
