import type { Row } from '../lane.ts';

/**
 * A job's requests and its events: named by the job, so that hardly a name comes again. With `features.passingStreams`
 * such a row in an EVENT frame brings its name each time, and leaves no stream behind on either end.
 */
export function isPassing({ type, schema }: Pick<Row, 'type' | 'schema'>): boolean {
  return schema === 0n && (type === 'flotilla.job' || type.startsWith('job.'));
}
