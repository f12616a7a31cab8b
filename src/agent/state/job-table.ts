import type { DatabaseSync } from 'node:sqlite';
import type { JobOutcome } from '../../protocol/event.ts';
import type { JobRun, JobStart } from '../../protocol/request.ts';

export type JobState = 'queued' | 'started' | 'finished';

/**
 * Every job that this device was ever asked for (the last `keptJobs` of the finished ones, and some more): what is here
 * never runs again.
 */
export interface JobTable {
  state(jobId: string): JobState | undefined;
  queue(run: JobRun): void;
  /** Jobs that wait, the oldest first. */
  queued(): JobRun[];
  /** Written before the action begins, so that a job that might have run is known after a crash; it need not have waited. */
  markStarted(run: JobRun, startedAtMs: number, note: unknown): void;
  /** What is to be remembered of a job that has started, until it has finished. */
  setNote(jobId: string, note: unknown): void;
  /** Also for a job that was never queued (refused or cancelled before it came). */
  markFinished(jobId: string, outcome: JobOutcome): void;
  /** Started, not finished: of these an earlier process may know no end. */
  started(): { run: JobRun; startedAtMs: number; note: unknown }[];
}

const keptJobs = 10_000;
/** Older ones are looked for when so many have finished. */
const pruneEvery = 64;

export function createJobTable(db: DatabaseSync): JobTable {
  const state = db.prepare('SELECT state FROM agent_job WHERE job_id = ?');
  const queue = db.prepare("INSERT INTO agent_job (job_id, state, start) VALUES (?, 'queued', ?)");
  const queued = db.prepare("SELECT start FROM agent_job WHERE state = 'queued' ORDER BY ordinal");
  const start = db.prepare(`
    INSERT INTO agent_job (job_id, state, start, started_at_ms) VALUES (?, 'started', ?, ?)
    ON CONFLICT (job_id) DO UPDATE SET state = 'started', started_at_ms = excluded.started_at_ms WHERE state = 'queued'`);
  const finish = db.prepare("UPDATE agent_job SET state = 'finished', outcome = ?, start = NULL WHERE job_id = ?");
  const finishUnseen = db.prepare("INSERT INTO agent_job (job_id, state, outcome) VALUES (?, 'finished', ?)");
  const started = db.prepare(`
    SELECT start, started_at_ms, note FROM agent_job LEFT JOIN agent_job_note USING (job_id)
    WHERE state = 'started' ORDER BY ordinal`);
  const prune = db.prepare(
    "DELETE FROM agent_job WHERE state = 'finished' AND ordinal <= (SELECT max(ordinal) FROM agent_job) - ?",
  );
  const putNote = db.prepare(`
    INSERT INTO agent_job_note (job_id, note) VALUES (?, ?) ON CONFLICT (job_id) DO UPDATE SET note = excluded.note`);
  const dropNote = db.prepare('DELETE FROM agent_job_note WHERE job_id = ?');
  const setNote = (jobId: string, note: unknown): void => void putNote.run(jobId, JSON.stringify(note));
  let mayWait = true;
  let finished = 0;
  return {
    state: (jobId) => state.get(jobId)?.['state'] as JobState | undefined,
    queue(run) {
      mayWait = true;
      queue.run(run.jobId, JSON.stringify(toRow(run)));
    },
    queued() {
      const runs = mayWait ? queued.all().map((row) => fromRow(row['start'])) : [];
      if (!db.isTransaction) mayWait = runs.length > 0;
      return runs;
    },
    markStarted(run, startedAtMs, note) {
      const { jobId } = run;
      const { changes } = start.run(jobId, JSON.stringify(toRow(run)), startedAtMs);
      if (changes !== 1) throw new Error(`job ${jobId} was started before`);
      if (note !== undefined) setNote(jobId, note);
    },
    setNote,
    markFinished(jobId, outcome) {
      if (finish.run(outcome, jobId).changes === 0) finishUnseen.run(jobId, outcome);
      dropNote.run(jobId);
      if (finished++ % pruneEvery === 0) prune.run(keptJobs);
    },
    started: () =>
      started.all().map((row) => ({
        run: fromRow(row['start']),
        startedAtMs: Number(row['started_at_ms']),
        note: row['note'] === null ? undefined : (JSON.parse(String(row['note'])) as unknown),
      })),
  };
}

/** An agent of the version before reads `argv` alone: it must find a command, and one that does nothing. */
function toRow(run: JobRun): JobRun & Pick<JobStart, 'argv' | 'shell'> {
  const { action } = run;
  if (action.kind === 'command') return { ...run, argv: action.argv, shell: action.shell ?? false };
  return { ...run, argv: ['(a job of a newer agent)'], shell: false };
}

/** Written by this agent, or by one before it that knew commands alone. */
function fromRow(start: unknown): JobRun {
  const { argv, shell, ...run } = JSON.parse(String(start)) as JobStart & Partial<JobRun>;
  return { ...run, action: run.action ?? { kind: 'command', argv, shell } };
}
