/** A job is told as running when it has run for so long, and again so often. */
export const jobBeatMs = 30_000;
