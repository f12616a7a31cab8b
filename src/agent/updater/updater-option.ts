import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../clock.ts';
import type { ProductHealthConfig, UpdateRules } from '../../config/agent-config.ts';
import type { DeviceLog } from '../../eventlog/index.ts';
import type { Log } from '../../log.ts';
import type { Running } from '../../protocol/event.ts';
import type { Grains } from '../grain/machine-grain.ts';
import type { Link } from '../link/port.ts';
import type { BootTime } from '../machine/boot-time.ts';
import type { SlotBackend } from '../slot/slot-backend.ts';
import type { PartSource } from './download.ts';
import type { HealthCheck } from './health-check.ts';
import type { ProductHealth } from './product-health.ts';
import type { NoCoordinator } from './probation.ts';
import type { ReceiptSigner } from './update-store.ts';

/** What an updater is made of. Times in the units that their names say. */
export interface UpdaterOption {
  database: DatabaseSync;
  log: DeviceLog;
  link: PartSource & Pick<Link, 'status' | 'onChange' | 'wake' | 'coordinatorNowMs'>;
  slots: SlotBackend;
  /** What runs now, read from the machine. */
  running(): Promise<Running>;
  clock: Clock;
  /** Counts time that no clock can set. */
  machine: BootTime;
  logger: Log;
  policy: UpdatePolicy;
  rules: UpdateRules;
  /** What the device last said of itself. */
  grains(): Promise<Grains>;
  /** Why a program of the product does not want the machine restarted. */
  rebootHold(): { reason: string } | undefined;
  productHealth: Pick<ProductHealth, 'verdict' | 'onReport'>;
  /** Absent: updates from a file end without a receipt. */
  receipt?: ReceiptSigner;
  /** Where the download stands: on the data partition. */
  directory: string;
  /** Called when a slot was marked good or given up: the firmware grain has changed. */
  onDecided?(): void;
  /** The record has changed. */
  onChange?(): void;
  /** The state can't be written any more: the process must end, its successor takes the update up. */
  onFatal?(error: unknown): void;
}

export interface UpdatePolicy {
  product: string;
  platform: string;
  /** 32-byte Ed25519 keys; none refuses everything. */
  publicKeys: readonly Buffer[];
  destination: string;
  task: string;
  /** What a task sets to the slot that it writes; absent where a task is called `<task>.<slot>` for that. */
  activeVariable?: string;
  reboot: { command: readonly string[]; timeoutSeconds: number };
  health: {
    checks: readonly HealthCheck[];
    soakSeconds: number;
    connectTimeoutSeconds: number;
    product?: ProductHealthConfig;
    /** Absent: `revert`. */
    noCoordinator?: NoCoordinator;
  };
}
