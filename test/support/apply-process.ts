/** Applies a bundle in a process of its own and prints the most memory that it ever held: BUNDLE KEY DESTINATION TASK. */
import { applyBundle, readPublicKey } from '../../src/firmware/index.ts';

const [path, key, destinationPath, task] = process.argv.slice(2) as [string, string, string, string];
await applyBundle({ path, publicKeys: [await readPublicKey(key)], destinationPath, task });
process.stdout.write(`${JSON.stringify({ peakBytes: process.resourceUsage().maxRSS * 1024 })}\n`);
