/** The agent's defaults. Paths are relative to the file until it is loaded. */
import type {
  AgentConfig,
  EventTypeConfig,
  FileSlotConfig,
  HealthCheckConfig,
  ProductHealthConfig,
  SlotVariableConfig,
  UpdateConfig,
  UpdateRules,
} from './agent-config.ts';

/** What the `coordinator:` section may leave out; its host no default can know. */
export const defaultAgentCoordinator = { port: 7443 } satisfies Partial<AgentConfig['coordinator']>;

export const defaultAgentConfig: Omit<AgentConfig, 'coordinator' | 'update'> = {
  identity: { key: 'device.key', certificate: 'device.crt', authority: 'authority.crt', renewAtShare: 0.667 },
  state: 'state',
  grains: { file: 'grains.yaml', directory: 'grains.d', refreshSeconds: 300, executableTimeoutMs: 10_000 },
  time: { maxSkewSeconds: 120 },
  boot: { idFile: '/proc/sys/kernel/random/boot_id' },
  jobs: {
    allow: ['*'],
    maxOutputBytes: 262_144,
    maxConcurrent: 4,
    timeoutSeconds: 3_600,
    shell: false,
    policy: 'job-policy.yaml',
  },
  link: {
    keepaliveSeconds: 240,
    maxKeepaliveSeconds: 1_680,
    keyExchange: 'classic',
    packing: 'range',
    backoff: { firstMinMs: 200, firstMaxMs: 5_000, factor: 2, maxMs: 300_000 },
  },
  selfUpdate: { proveSeconds: 180, soakSeconds: 10 },
  events: {
    socket: 'door.sock',
    schemas: 'schemas',
    maxBytes: 64 * 1024 * 1024,
    minFreeBytes: 16 * 1024 * 1024,
    types: {},
  },
  log: { level: 'info', maxBytes: 1024 * 1024, keep: 3 },
  service: { user: 'auto', memoryMaxBytes: 256 * 1024 * 1024, cpuPercent: 100 },
};

/** A day's worth for a coordinator that is restored from a backup, within bounds. */
export const defaultEventType: EventTypeConfig = {
  lane: 'bulk',
  keepRows: 1_000,
  keepSeconds: 86_400,
  keepBytes: 1024 * 1024,
  latestOnly: false,
};

const hour = 3_600;
const day = 24 * hour;

export const defaultUpdateRules: UpdateRules = {
  approval: 'none',
  limits: {
    offeredSeconds: hour,
    downloadingSeconds: 7 * day,
    verifiedSeconds: day, // the coordinator is heard once more, and may be out of reach
    installingSeconds: 2 * hour,
    rebootingSeconds: hour,
    testingSeconds: hour,
    revertingSeconds: hour,
    waitSeconds: 14 * day,
    deferSeconds: day,
    approvalSeconds: 7 * day,
    rebootHoldSeconds: hour,
  },
  windows: { download: [], install: [], reboot: [] },
  download: {},
  hooks: { directory: 'hooks/update', timeoutSeconds: 300, retrySeconds: 60, retryLimitSeconds: 1_800 },
};

export const defaultProductHealth: ProductHealthConfig = { timeoutSeconds: 300, missing: 'failed' };

/** What an `update:` section may leave out. */
export const defaultUpdateConfig = {
  ...defaultUpdateRules,
  task: 'upgrade',
  reboot: { command: ['reboot'], timeoutSeconds: 120 },
  health: { checks: [], soakSeconds: 5, connectTimeoutSeconds: 300, noCoordinator: 'revert' },
} satisfies Partial<UpdateConfig>;

export const defaultSlotVariables = {
  activeVariable: 'active_slot',
  pendingVariable: 'upgrade_available',
  bootcountVariable: 'bootcount',
  bootlimitVariable: 'bootlimit',
  uuidVariablePrefix: '',
} as const satisfies SlotVariableConfig;

export const defaultUbootSlotConfig = { backend: 'uboot', ...defaultSlotVariables } as const;
export const defaultFileSlotConfig = {
  backend: 'file',
  slots: ['a', 'b'],
  ...defaultSlotVariables,
} satisfies Partial<FileSlotConfig>;
export const defaultScriptSlotConfig = { backend: 'script', timeoutSeconds: 30 } as const;

export const defaultHealthCheckConfig = { timeoutMs: 30_000 } satisfies Partial<HealthCheckConfig>;
export const defaultWatchdogConfig = { file: '/dev/watchdog', intervalMs: 1_000 } satisfies UpdateConfig['watchdog'];
