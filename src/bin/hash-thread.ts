/** The thread that hashes a large resource while it is inflated and written. */
import { parentPort, workerData } from 'node:worker_threads';
import { serveHash } from '../firmware/archive/hash-service.ts';

if (parentPort === null) throw new Error('this script runs as a worker thread');
await serveHash(parentPort, workerData);
