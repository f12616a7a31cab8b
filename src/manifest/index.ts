/**
 * Tables of devices that people write: CSV with a heading, or YAML. Read whole, and every problem is told at its line.
 * What the columns mean is the business of whoever reads one.
 */
export * from './manifest-row.ts';
export * from './read-manifest.ts';
