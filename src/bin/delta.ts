/**
 * `delta.ts BEFORE AFTER OUTPUT`: makes a delta bundle for the core, which goes on meanwhile. Silent when it is made; when
 * there is none to be had, `{"refused": {code, message, seen}}` on stdout. Exits with 1 when anything else went wrong.
 */
import '../no-maglev.ts';
import type { Socket } from 'node:net';
import { FlotillaError } from '../error.ts';
import { buildDeltaBundle } from '../firmware/index.ts';

// Whoever wants the delta is gone, and so is the place for it.
process.stdin.once('end', () => process.exit(1)).resume();
(process.stdin as Socket).unref(); // it holds nobody up

const [beforePath = '', afterPath = '', outputPath = ''] = process.argv.slice(2);
try {
  await buildDeltaBundle({ beforePath, afterPath, outputPath });
} catch (error) {
  if (!(error instanceof FlotillaError) || error.fault !== 'refused') throw error;
  const { code, message, detail } = error;
  process.stdout.write(JSON.stringify({ refused: { code, message, seen: detail.seen } }));
}
