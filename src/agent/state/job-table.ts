import type { DatabaseSync } from 'node:sqlite';
import type { JobOutcome } from '../../protocol/event.ts';
import type { JobStart } from '../../protocol/request.ts';

export type JobState = 'queued' | 'started' | 'finished';

/** Every job that this device was ever asked for (the last `keptJobs` of the finished ones): what is here never runs again. */
export interface JobTable {
  state(jobId: string): JobState | undefined;
  queue(start: JobStart): void;
  /** The oldest job that waits. */
  nextQueued(): JobStart | undefined;
  /** Written before the process is made, so that a job that might have run is known after a crash. */
  markStarted(jobId: string, startedAtMs: number): void;
  /** Also for a job that was never queued (refused or cancelled before it came). */
  markFinished(jobId: string, outcome: JobOutcome): void;
  /** Started, not finished: after a restart of the agent their outcome is lost. */
  started(): { jobId: string; startedAtMs: number }[];
}

const keptJobs = 10_000;

export function createJobTable(db: DatabaseSync): JobTable {
  const state = db.prepare('SELECT state FROM agent_job WHERE job_id = ?');
  const queue = db.prepare("INSERT INTO agent_job (job_id, state, start) VALUES (?, 'queued', ?)");
  const next = db.prepare("SELECT start FROM agent_job WHERE state = 'queued' ORDER BY ordinal LIMIT 1");
  const start = db.prepare(
    "UPDATE agent_job SET state = 'started', started_at_ms = ? WHERE job_id = ? AND state = 'queued'",
  );
  const finish = db.prepare(`
    INSERT INTO agent_job (job_id, state, outcome) VALUES (:jobId, 'finished', :outcome)
    ON CONFLICT (job_id) DO UPDATE SET state = 'finished', outcome = excluded.outcome, start = NULL`);
  const started = db.prepare("SELECT job_id, started_at_ms FROM agent_job WHERE state = 'started' ORDER BY ordinal");
  const prune = db.prepare(
    "DELETE FROM agent_job WHERE state = 'finished' AND ordinal <= (SELECT max(ordinal) FROM agent_job) - ?",
  );
  return {
    state: (jobId) => state.get(jobId)?.['state'] as JobState | undefined,
    queue(job) {
      queue.run(job.jobId, JSON.stringify(job));
    },
    nextQueued() {
      const row = next.get();
      return row === undefined ? undefined : (JSON.parse(String(row['start'])) as JobStart);
    },
    markStarted(jobId, startedAtMs) {
      if (start.run(startedAtMs, jobId).changes !== 1) throw new Error(`job ${jobId} is not queued`);
    },
    markFinished(jobId, outcome) {
      finish.run({ jobId, outcome });
      prune.run(keptJobs);
    },
    started: () =>
      started.all().map((row) => ({ jobId: String(row['job_id']), startedAtMs: Number(row['started_at_ms']) })),
  };
}
