/** The agent's YAML file: its fields with units. Defaults: agent-default.ts; validator: agent-config-field.ts. */
import type { LogLevel } from '../log.ts';
import type { Window } from '../window/index.ts';

export interface AgentConfig {
  coordinator: {
    host: string;
    port: number;
    /** The name that the coordinator's certificate must carry; absent: `coordinator.<fleetId>.flotilla` of the device's own. */
    serverName?: string;
    /** Where a device whose certificate has expired gets another one; absent: the port above `port`. */
    recoveryPort?: number;
  };
  /** PEM files; absolute once loaded. The key must be readable by its owner alone. */
  identity: {
    key: string;
    certificate: string;
    authority: string;
    /** At which share of its life a certificate is renewed. */
    renewAtShare: number;
  };
  /** Folder of the agent's SQLite; absolute once loaded. On the data partition, never in a slot. */
  state: string;
  grains: {
    /** Grains that never change, as YAML. */
    file: string;
    /** Folder of executables that print a JSON object each. */
    directory: string;
    refreshSeconds: number;
    executableTimeoutMs: number;
  };
  time: {
    /** How far the machine's clock may be off before signed time is taken instead. */
    maxSkewSeconds: number;
  };
  boot: {
    /** A text that changes at every boot. */
    idFile: string;
    /** A file whose text is the name of the slot that was booted (`a`, `b`). */
    slotFile?: string;
  };
  jobs: {
    /** Globs over argv[0]; an empty list allows nothing. */
    allow: string[];
    maxOutputBytes: number;
    maxConcurrent: number;
    /** The longest that any command may run, whatever the job asks for. */
    timeoutSeconds: number;
    /** Whether a job may ask for a shell. */
    shell: boolean;
    /** The owner's rules; where that file is, they hold instead of `allow` and `shell`. Absolute once loaded. */
    policy: string;
  };
  /** Absent: this device takes no updates. */
  update?: UpdateConfig;
  selfUpdate: SelfUpdateConfig;
  link: {
    /** The first silence after which the coordinator is asked for a sign of life … */
    keepaliveSeconds: number;
    /** … and the longest that is tried when the way bears it. */
    maxKeepaliveSeconds: number;
    /** `hybrid` adds ML-KEM-768 for 2.3 kB more a full handshake. */
    keyExchange: 'classic' | 'hybrid';
    /** How batches of events are written: `range` in the fewest bytes, `pack` with the least work. */
    packing: 'pack' | 'range';
    backoff: BackoffConfig;
  };
  events: EventsConfig;
  log: LogConfig;
  /** For `flotilla agent install` alone; the agent itself does not look at it. */
  service: ServiceConfig;
}

/** Updates of the agent's own program, over the link. */
export interface SelfUpdateConfig {
  /** Public keys of which one must have signed it; absent: those of `update`, and without either it is refused. */
  keys?: string[];
  /** How long a new program may take, from its start, to prove itself. */
  proveSeconds: number;
  /** How long its link must last for that without a break. */
  soakSeconds: number;
}

export interface LogConfig {
  level: LogLevel;
  /** Absent: stderr, for the journal with priorities. */
  file?: string;
  /** The file is set aside at this size … */
  maxBytes: number;
  /** … and so many of those that were set aside stay: all together take (keep + 1) × maxBytes at most. */
  keep: number;
}

/** What the unit (or the init script) grants the agent. */
export interface ServiceConfig {
  /** A user's name; `auto` is root with an `update:` section (it writes the disk and restarts the machine), else flotilla-agent. */
  user: string;
  /** Agent and jobs together. */
  memoryMaxBytes: number;
  /** Of one core; agent and jobs together. */
  cpuPercent: number;
}

/** The device's event log, and the door by which the product's own programs reach it. */
export interface EventsConfig {
  /** Unix socket of the door; absolute once loaded. */
  socket: string;
  /** Folder of the product's Avro schemas, `*.avsc`; the record's full name is the event type. Absolute once loaded. */
  schemas: string;
  /** Of what waits to be sent. Beyond it the lowest lane's oldest rows go, and a GAP event says so. */
  maxBytes: number;
  /** Room on the file system of `state`; below it likewise. */
  minFreeBytes: number;
  /** By event type. What stands nowhere here travels in the lane bulk and is kept as `defaultEventType` says. */
  types: Record<string, EventTypeConfig>;
}

/** How events of a type travel, and how long they stay on the device once the coordinator has them. */
export interface EventTypeConfig {
  lane: 'alarm' | 'state' | 'bulk';
  keepRows: number;
  keepSeconds: number;
  keepBytes: number;
  /** Only the newest event of a key matters: older ones that were not sent yet are left out. */
  latestOnly: boolean;
}

/** The first delay is drawn from firstMinMs..firstMaxMs; each later one grows by factor, jittered, up to maxMs. */
export interface BackoffConfig {
  firstMinMs: number;
  firstMaxMs: number;
  factor: number;
  maxMs: number;
}

export interface UpdateConfig extends UpdateRules {
  product: string;
  platform: string;
  /** Public keys of which one must have signed a bundle; absolute once loaded. Never empty: no key means refuse. */
  keys: string[];
  /** The block device or image file that bundles are applied to; absolute once loaded. */
  destination: string;
  /** The task of the bundle that updates the other slot. */
  task: string;
  slot: SlotConfig;
  reboot: { command: string[]; timeoutSeconds: number };
  health: {
    checks: HealthCheckConfig[];
    /** How long all must stay well before the slot is marked good. */
    soakSeconds: number;
    /** How long the new slot may take to reach the coordinator. */
    connectTimeoutSeconds: number;
    /** Waits for the product's own word at the door; absent: only a bad one counts. */
    product?: ProductHealthConfig;
    /** What becomes of a new slot that is well in all else and does not reach it. */
    noCoordinator: 'revert' | 'keep';
  };
  watchdog?: { file: string; intervalMs: number };
}

/** What the owner of the device lays down about when and how it is updated. */
export interface UpdateRules {
  /** `required`: nothing is installed before somebody at the device has approved it. */
  approval: 'none' | 'required';
  limits: UpdateLimits;
  /** When each may begin; an empty list: at any time. */
  windows: { download: Window[]; install: Window[]; reboot: Window[] };
  /** IANA name, for windows in the zone `device`; absent: the machine's. */
  zone?: string;
  download: {
    /** Absent: as fast as it comes. */
    maxBytesPerSecond?: number;
  };
  /** What may be fetched while the link costs money; absent: everything. */
  metered?: MeteredConfig;
  hooks: HookConfig;
}

/** Seconds that the machine runs. A state that lasts longer ends as `timed-out-<state>`. */
export interface UpdateLimits {
  offeredSeconds: number;
  /** Beside what the file takes at `maxBytesPerSecond`. */
  downloadingSeconds: number;
  verifiedSeconds: number;
  installingSeconds: number;
  rebootingSeconds: number;
  /** Beside what soak, connect and checks may take. */
  testingSeconds: number;
  revertingSeconds: number;
  /** In all, for windows to open and for a link that is not metered. */
  waitSeconds: number;
  /** In all, for the product or a person to put the update off; then it goes on. */
  deferSeconds: number;
  /** For an approval; then the update ends as rejected. */
  approvalSeconds: number;
  /** In all, for the product to hold the restart up; then the machine restarts. */
  rebootHoldSeconds: number;
}

export interface MeteredConfig {
  /** By grain (`network:type`), the values under which the link is metered; all of them must hold. */
  when: Record<string, string[]>;
  download: 'never' | 'delta-only' | 'up-to';
  /** With `up-to`: files of at most this size. */
  maxBytes?: number;
}

export interface HookConfig {
  /** Executables in `<state>.d` of this folder run when an update is in that state. Absolute once loaded. */
  directory: string;
  timeoutSeconds: number;
  /** How long one that says "later" (21) is left alone … */
  retrySeconds: number;
  /** … and how long in all before that counts as a failure. */
  retryLimitSeconds: number;
}

export interface ProductHealthConfig {
  timeoutSeconds: number;
  /** What it means when nothing was said by then. */
  missing: 'failed' | 'ok';
}

/** How the agent and the boot loader tell each other which slot boots. */
export type SlotConfig = UbootSlotConfig | FileSlotConfig | ScriptSlotConfig;

/** The names by which the boot scripts know it. */
export interface SlotVariableConfig {
  activeVariable: string;
  pendingVariable: string;
  bootcountVariable: string;
  bootlimitVariable: string;
  /** The UUID of a slot's bundle stands in `<prefix><slot>.uuid`. */
  uuidVariablePrefix: string;
}

export interface UbootSlotConfig extends SlotVariableConfig {
  backend: 'uboot';
  /** The U-Boot environment on the destination, in blocks of 512 bytes. */
  blockOffset: number;
  blockCount: number;
  /** The second copy of a redundant environment. */
  blockOffsetRedund?: number;
}

/** The same variables as lines of a text file. */
export interface FileSlotConfig extends SlotVariableConfig {
  backend: 'file';
  /** Absolute once loaded. In a folder that the agent may write, never in a slot. */
  file: string;
  /** The two slots; the first boots where the file names neither. */
  slots: string[];
}

/** A program of the device's owner. */
export interface ScriptSlotConfig {
  backend: 'script';
  /** The verb and its arguments are added to it. */
  command: string[];
  timeoutSeconds: number;
}

export interface HealthCheckConfig {
  name: string;
  command: string[];
  timeoutMs: number;
}
