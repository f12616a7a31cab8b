import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../clock.ts';
import type { DeviceLog } from '../../eventlog/index.ts';
import type { Log } from '../../log.ts';
import type { Link } from '../link/port.ts';
import type { BootTime } from '../machine/boot-time.ts';
import type { PartSource } from '../updater/download.ts';

/** What the launcher told this process, and how to have it start another. */
export interface LaunchOption {
  /** Where programs stand. */
  programs: string;
  /** Of the installed program: hex SHA-256. */
  base: string;
  /** The bundle of the program that runs; absent: it is the installed one. */
  bundle?: string;
  /** Ends this process in order; its supervisor starts the launcher again. */
  restart(): void;
}

/** What the updater of the agent's own program is made of. Times in the units that their names say. */
export interface ProgramUpdaterOption {
  database: DatabaseSync;
  log: DeviceLog;
  link: PartSource & Pick<Link, 'status' | 'onChange' | 'wake' | 'coordinatorNowMs'>;
  clock: Clock;
  machine: BootTime;
  logger: Log;
  agentVersion: string;
  /** 32-byte Ed25519 keys; none refuses everything. */
  publicKeys: readonly Buffer[];
  /** Absent: no launcher has started this process, so no other program can be started by one. */
  launch?: LaunchOption;
  /** How long a new program may take to prove itself … */
  proveSeconds: number;
  /** … and how long it must be linked for that without a break. */
  soakSeconds: number;
  /** Where the download stands: on the data partition. */
  directory: string;
  /** Why it should not be restarted just now: a job runs, a firmware is installed. */
  busy(): string | undefined;
  /** The record has changed. */
  onChange?(): void;
  /** The state can't be written any more. */
  onFatal?(error: unknown): void;
}
