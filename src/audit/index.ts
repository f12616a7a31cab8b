/**
 * The audit chain, pure: what a row holds, how it is hashed to the one before it, how heads are signed, and how a
 * changed, dropped, moved or cut chain is found and the place named. No file, no database, no clock: the store writes
 * and reads the rows, the coordinator signs, the command line verifies with the same code, also without a coordinator.
 */
export * from './anchor.ts';
export * from './checkpoint.ts';
export * from './device-list.ts';
export * from './entry.ts';
export * from './export-file.ts';
export * from './problem.ts';
export * from './verification.ts';
export * from './verify-chain.ts';
