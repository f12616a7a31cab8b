/** The store thread of the coordinator: a worker of src/bin/coordinator.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { serveStore } from '../store/serve-store.ts';

if (parentPort === null) throw new Error('this script runs as a worker thread of the coordinator');
serveStore(parentPort, workerData);
