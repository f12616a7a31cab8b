/** A process of bench:job with many devices, each a session of its own over TLS. Ends with its stdin's owner. */
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { CrowdDevice } from './crowd-device.ts';
import type { CrowdLine, CrowdSetup } from './setup.ts';

const { port, serverName, devices } = JSON.parse(await text(process.stdin)) as CrowdSetup;
/** Handshakes at a time. */
const maxDials = 32;

interface Progress {
  acknowledgedAtMs: number[];
  cpu: NodeJS.CpuUsage;
}

let ready = 0;
const jobs = new Map<string, Progress>();
const say = (line: CrowdLine): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const progressOf = (jobId: string): Progress => {
  const known = jobs.get(jobId) ?? { acknowledgedAtMs: [], cpu: process.cpuUsage() };
  jobs.set(jobId, known);
  return known;
};

const crowd: CrowdDevice[] = [];
for (const device of devices) {
  crowd.push(
    new CrowdDevice({
      device,
      port,
      serverName,
      onReady: () => void (ready += 1),
      onRequest: (jobId) => void progressOf(jobId),
      onAcknowledged(jobId) {
        const { acknowledgedAtMs, cpu } = progressOf(jobId);
        acknowledgedAtMs.push(Date.now());
        if (acknowledgedAtMs.length < devices.length) return;
        const used = process.cpuUsage(cpu);
        say({ kind: 'job', jobId, acknowledgedAtMs, cpuSeconds: (used.user + used.system) / 1e6 });
      },
      onFailed(reason) {
        process.stderr.write(`${device.id}: ${reason}\n`);
        process.exit(1);
      },
    }),
  );
  while (crowd.length - ready >= maxDials) await sleep(2);
}
while (ready < devices.length) await sleep(5);
say({ kind: 'ready', devices: crowd.length });
