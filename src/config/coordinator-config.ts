/** coordinator.yaml: its fields with units, its defaults, its validator. */
import { dirname, resolve } from 'node:path';
import type { LogLevel } from '../log.ts';
import { isFleetId } from '../pki/profile.ts';
import { connectHookField, type ConnectHookConfig } from './connect-hook.ts';
import { type Field, boolean, check, choice, either, integer, list, number, record, text } from './field.ts';
import { placeReturners, returnersField, type ReturnersConfig } from './returner.ts';
import { readConfigFile } from './read-config.ts';
import { host, logLevels, maxSocketPathBytes, milliseconds, path, seconds } from './rule.ts';

export interface CoordinatorConfig {
  fleetId: string;
  /** Where devices connect. Port 0 takes a free one; `coordinator status` tells which. */
  listen: { host: string; port: number };
  /** Names and addresses in the coordinator's certificate, besides `coordinator.<fleetId>.flotilla`. */
  hosts: string[];
  /** Processes that terminate TLS; auto is one for each core, at least one. */
  gateways: 'auto' | number;
  /** Folder of the SQLite files and the published bundles; absolute once loaded. */
  data: string;
  /** Unix socket of the API; absolute once loaded. */
  socket: string;
  link: {
    /** From the TCP accept to a valid HELLO. */
    helloTimeoutMs: number;
    /** The longest silence of a device that is borne; devices find out what their way bears, up to this. */
    keepaliveSeconds: number;
    /** `hybrid` also takes ML-KEM-768 from devices that offer it; `classic` is X25519 and P-256. */
    keyExchange: 'classic' | 'hybrid';
    /** How batches to devices are written: `range` in the fewest bytes, `pack` with the least work. */
    packing: 'pack' | 'range';
    /** Devices that are sent away at a stop come back at random within this time; auto grows with their number. */
    retrySpreadSeconds: 'auto' | number;
    /** Agents below this version are sent away and told so. */
    minAgentVersion?: string;
  };
  /** Absent: nobody else is asked who may connect. */
  connectHook?: ConnectHookConfig;
  /** Where results of jobs go, by name; absent: nowhere but to who asks. */
  returners?: ReturnersConfig;
  /** For operators elsewhere; without an address there is the unix socket alone. */
  api: {
    /** Takes certificates of operators. Port 0 takes a free one. */
    listen?: { host: string; port: number };
    /** Takes tokens, and asks for no certificate. */
    tokenListen?: { host: string; port: number };
    /** The longest life of a token. */
    maxTokenSeconds: number;
    /** Of both listeners together; more wait for nobody. */
    maxConnections: number;
    limits: {
      /** Requests of one operator. */
      callerPerSecond: number;
      callerBurst: number;
      /** Of one address; a connection counts as 5 requests, and one that fails to prove itself as 50. */
      addressPerSecond: number;
      addressBurst: number;
    };
  };
  jobs: {
    /** How long one device may take for a command. */
    defaultTimeoutSeconds: number;
    /** How long a job waits for devices that are away. */
    defaultExpiresSeconds: number;
    /** A job on more than this share of the fleet (0 to 1) asks for a confirmation. */
    confirmAboveShare: number;
  };
  /** How long a device may stay in each state of an update before it counts as timed out. */
  rollouts: {
    offeredTimeoutSeconds: number;
    downloadTimeoutSeconds: number;
    installTimeoutSeconds: number;
    rebootTimeoutSeconds: number;
    testTimeoutSeconds: number;
    /** A new certificate that was signed, until the device has come in with it. */
    runningTimeoutSeconds: number;
  };
  /** Where devices get their first certificate (EST, RFC 7030); absent: nowhere. */
  enrollment?: {
    listen: { host: string; port: number };
    /** How devices reach it, as tokens tell them; the first of `hosts` where it is left out. */
    host?: string;
    /** The application's say about each, after token or manifest has said yes. */
    hook?: ConnectHookConfig;
  };
  /** Beyond these they are forgotten: the decided ones first, and never an undecided one without an event. */
  deadLetters: { keepRows: number; keepSeconds: number };
  /** Whether delta bundles are made in the background, and offered. */
  deltas: { enabled: boolean };
  certificates: {
    /** The file that says what certificates may look like; absolute once loaded. */
    profiles: string;
    /** The revocation list: how long one holds, and where it is offered by plain HTTP (nowhere when left out). */
    crl: { validDays: number; listen?: { host: string; port: number } };
    /** How long a certificate is still taken after the device has come in with a newer one. */
    overlapSeconds: number;
    /** Devices that are asked to renew at a time, after a rotation or by an operator. */
    renewInFlight: number;
    /** New certificates that one device gets in a day. */
    renewalsPerDay: number;
  };
  /** Where devices whose certificate has expired get another one. Absent: nowhere. */
  recovery?: RecoveryConfig;
  log: { level: LogLevel };
}

export interface RecoveryConfig {
  host: string;
  port: number;
  /** How long after its end a certificate is still worth another one. */
  maxExpiredDays: number;
}

/** What a `recovery:` section may leave out. */
export const defaultRecoveryConfig = { host: '0.0.0.0', maxExpiredDays: 365 } satisfies Partial<RecoveryConfig>;

/** Everything but the fleet's id. Paths are relative to the file until it is loaded. */
export const defaultCoordinatorConfig: Omit<CoordinatorConfig, 'fleetId'> = {
  listen: { host: '0.0.0.0', port: 7443 },
  hosts: ['localhost'],
  gateways: 'auto',
  data: 'data',
  socket: 'run/api.sock',
  link: {
    helloTimeoutMs: 10_000,
    keepaliveSeconds: 1_680,
    keyExchange: 'hybrid',
    packing: 'range',
    retrySpreadSeconds: 'auto',
  },
  api: {
    maxTokenSeconds: 86_400,
    maxConnections: 500,
    limits: { callerPerSecond: 50, callerBurst: 200, addressPerSecond: 100, addressBurst: 1_000 },
  },
  jobs: { defaultTimeoutSeconds: 300, defaultExpiresSeconds: 86_400, confirmAboveShare: 0.5 },
  rollouts: {
    offeredTimeoutSeconds: 300,
    downloadTimeoutSeconds: 14_400,
    installTimeoutSeconds: 3_600,
    rebootTimeoutSeconds: 900,
    testTimeoutSeconds: 1_800,
    runningTimeoutSeconds: 900,
  },
  deadLetters: { keepRows: 100_000, keepSeconds: 7_776_000 },
  deltas: { enabled: true },
  certificates: {
    profiles: 'pki/profiles.yaml',
    overlapSeconds: 86_400,
    renewInFlight: 32,
    renewalsPerDay: 6,
    crl: { validDays: 7 },
  },
  log: { level: 'info' },
};

const defaults = defaultCoordinatorConfig;

const fleetId: Field<string> = check(text(), (value) =>
  isFleetId(value)
    ? undefined
    : { message: 'fleetId is not valid', seen: JSON.stringify(value), expected: 'one to 32 of a-z 0-9 -' },
);

const apiAddress = record<{ host: string; port: number }>({ host, port: integer({ min: 0, max: 65_535 }) }, {});

const semverPattern = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/;

/** The file as it stands, paths unresolved. */
export const coordinatorConfigField: Field<CoordinatorConfig> = record<CoordinatorConfig>(
  {
    fleetId,
    listen: record({ host, port: integer({ min: 0, max: 65_535 }) }, defaults.listen),
    hosts: list(host),
    gateways: either((value) => typeof value === 'number', integer({ min: 1, max: 256 }), choice(['auto'])),
    data: path,
    socket: path,
    link: record<CoordinatorConfig['link']>(
      {
        helloTimeoutMs: milliseconds(100, 120_000),
        keepaliveSeconds: seconds(1, 1),
        keyExchange: choice(['classic', 'hybrid']),
        packing: choice(['pack', 'range']),
        retrySpreadSeconds: either((value) => typeof value === 'number', seconds(1, 1), choice(['auto'])),
        minAgentVersion: text({ pattern: semverPattern, expected: 'a version such as 1.4.0', maxLength: 64 }),
      },
      defaults.link,
      ['minAgentVersion'],
    ),
    connectHook: connectHookField,
    returners: returnersField,
    api: record<CoordinatorConfig['api']>(
      {
        listen: apiAddress,
        tokenListen: apiAddress,
        maxTokenSeconds: seconds(1, 30),
        maxConnections: integer({ min: 1, max: 10_000 }),
        limits: record(
          {
            callerPerSecond: integer({ min: 1, max: 100_000 }),
            callerBurst: integer({ min: 1, max: 1_000_000 }),
            addressPerSecond: integer({ min: 1, max: 100_000 }),
            addressBurst: integer({ min: 60, max: 1_000_000 }),
          },
          defaults.api.limits,
        ),
      },
      defaults.api,
      ['listen', 'tokenListen'],
    ),
    jobs: record(
      {
        defaultTimeoutSeconds: seconds(1, 30),
        defaultExpiresSeconds: seconds(1, 365),
        confirmAboveShare: number({ min: 0, max: 1 }),
      },
      defaults.jobs,
    ),
    rollouts: record(
      {
        offeredTimeoutSeconds: seconds(1, 365),
        downloadTimeoutSeconds: seconds(1, 365),
        installTimeoutSeconds: seconds(1, 365),
        rebootTimeoutSeconds: seconds(1, 365),
        testTimeoutSeconds: seconds(1, 365),
        runningTimeoutSeconds: seconds(1, 365),
      },
      defaults.rollouts,
    ),
    enrollment: record<NonNullable<CoordinatorConfig['enrollment']>>(
      {
        listen: record({ host, port: integer({ min: 0, max: 65_535 }) }, { host: '0.0.0.0', port: 7445 }),
        host,
        hook: connectHookField,
      },
      { listen: { host: '0.0.0.0', port: 7445 } },
      ['host', 'hook'],
    ),
    deadLetters: record(
      { keepRows: integer({ min: 1, max: 1_000_000 }), keepSeconds: seconds(1, 3_650) },
      defaults.deadLetters,
    ),
    deltas: record({ enabled: boolean() }, defaults.deltas),
    certificates: record(
      {
        profiles: path,
        crl: record<CoordinatorConfig['certificates']['crl']>(
          {
            validDays: integer({ min: 1, max: 90, unit: 'days' }),
            listen: record({ host, port: integer({ min: 0, max: 65_535 }) }, {}),
          },
          defaults.certificates.crl,
          ['listen'],
        ),
        overlapSeconds: seconds(0, 365),
        renewInFlight: integer({ min: 1, max: 10_000 }),
        renewalsPerDay: integer({ min: 1, max: 1_000 }),
      },
      defaults.certificates,
    ),
    recovery: record<RecoveryConfig>(
      {
        host,
        port: integer({ min: 0, max: 65_535 }),
        maxExpiredDays: number({ min: 0, max: 36_500 }),
      },
      defaultRecoveryConfig,
    ),
    log: record({ level: choice(logLevels) }, defaults.log),
  },
  defaults,
  ['connectHook', 'returners', 'enrollment', 'recovery'],
);

/** Reads and checks a coordinator.yaml; `data` and `socket` become absolute. Throws ConfigError with every problem. */
export async function loadCoordinatorConfig(file: string): Promise<CoordinatorConfig> {
  const directory = dirname(resolve(file));
  const field = check(coordinatorConfigField, ({ socket }) => {
    const bytes = Buffer.byteLength(resolve(directory, socket));
    if (bytes <= maxSocketPathBytes) return undefined;
    return {
      message: 'the path of the API socket is too long for this system',
      seen: `${bytes} bytes: ${resolve(directory, socket)}`,
      expected: `at most ${maxSocketPathBytes} bytes`,
      suggestion: 'set socket: to a short absolute path such as /run/flotilla/api.sock',
    };
  });
  const config = await readConfigFile(file, field, 'flotilla init makes a fleet with its coordinator.yaml');
  const { connectHook, enrollment, returners } = config;
  const placed = (hook: ConnectHookConfig): ConnectHookConfig =>
    hook.caFile === undefined ? hook : { ...hook, caFile: resolve(directory, hook.caFile) };
  return {
    ...config,
    data: resolve(directory, config.data),
    socket: resolve(directory, config.socket),
    certificates: { ...config.certificates, profiles: resolve(directory, config.certificates.profiles) },
    ...(returners === undefined ? {} : { returners: placeReturners(returners, directory) }),
    ...(connectHook === undefined ? {} : { connectHook: placed(connectHook) }),
    ...(enrollment?.hook === undefined ? {} : { enrollment: { ...enrollment, hook: placed(enrollment.hook) } }),
  };
}
