import type { Fleet } from '../../support/link-bench.ts';
import type { Dialect } from './setup.ts';

/** A server that takes events and has them on its disk, or says that it has. */
export interface Contender extends AsyncDisposable {
  dialect: Dialect;
  port: number;
  serverName: string;
  /** How long what was confirmed is safe. */
  confirmedMeans: string;
  /** Events that its store holds, by another program's count; undefined where only the server itself could tell. */
  stored(): Promise<number | undefined>;
  /** Of its processes so far, seconds. */
  cpuSeconds(): number;
  device(id: string): ReturnType<Fleet['device']>;
}
