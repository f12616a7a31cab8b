/** A thread of the coordinator's store: a worker of src/bin/coordinator.ts, the one that writes or the one that reads. */
import { parentPort, workerData } from 'node:worker_threads';
import { serveReads } from '../store/serve-reads.ts';
import { serveStore } from '../store/serve-store.ts';

if (parentPort === null) throw new Error('this script runs as a worker thread of the coordinator');
const { role, ...option } = workerData;
if (role === 'read') serveReads(parentPort, option);
else serveStore(parentPort, option);
