import type { DevicePems } from '../../support/link-bench.ts';

/** What a crowd process is told, as one JSON document on stdin. */
export interface CrowdSetup {
  port: number;
  serverName: string;
  devices: (DevicePems & { id: string })[];
}

/** What it answers, as JSON lines on stdout: `ready` once, then for each job a line when all its results are acknowledged. */
export type CrowdLine =
  | { kind: 'ready'; devices: number }
  | {
      kind: 'job';
      jobId: string;
      /** Wall clock, ms: when the acknowledgement of each device's result came. */
      acknowledgedAtMs: number[];
      /** Of this process, since the job's first request came. */
      cpuSeconds: number;
    };
