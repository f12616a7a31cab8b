/** The validator of the agent's file. */
import type {
  AgentConfig,
  BackoffConfig,
  EventTypeConfig,
  HealthCheckConfig,
  ProductHealthConfig,
  SelfUpdateConfig,
  UpdateConfig,
} from './agent-config.ts';
import { updateRuleFields } from './update-rule-field.ts';
import {
  defaultAgentConfig,
  defaultAgentCoordinator,
  defaultEventType,
  defaultHealthCheckConfig,
  defaultProductHealth,
  defaultUpdateConfig,
  defaultWatchdogConfig,
} from './agent-default.ts';
import { type Field, boolean, check, choice, integer, list, mapOf, number, record, text } from './field.ts';
import { slot } from './slot-field.ts';
import { argv, host, logLevels, milliseconds, path, seconds } from './rule.ts';

const defaults = defaultAgentConfig;
const hourMs = 3_600_000;
const healthCheck: Field<HealthCheckConfig> = record<HealthCheckConfig>(
  { name: text({ maxLength: 64 }), command: argv, timeoutMs: milliseconds(1, hourMs) },
  defaultHealthCheckConfig,
);

const update: Field<UpdateConfig> = record<UpdateConfig>(
  {
    ...updateRuleFields,
    product: text({ maxLength: 256 }),
    platform: text({ maxLength: 256 }),
    keys: list(path, { min: 1, max: 16 }),
    destination: path,
    task: text({ maxLength: 128 }),
    slot,
    reboot: record({ command: argv, timeoutSeconds: seconds(1, 1) }, defaultUpdateConfig.reboot),
    health: record<UpdateConfig['health']>(
      {
        checks: list(healthCheck, { max: 64 }),
        soakSeconds: seconds(0, 7),
        connectTimeoutSeconds: seconds(1, 7),
        product: record<ProductHealthConfig>(
          { timeoutSeconds: seconds(1, 7), missing: choice<ProductHealthConfig['missing']>(['failed', 'ok']) },
          defaultProductHealth,
        ),
        noCoordinator: choice(['revert', 'keep']),
      },
      defaultUpdateConfig.health,
      ['product'],
    ),
    watchdog: record({ file: path, intervalMs: milliseconds(10, hourMs) }, defaultWatchdogConfig),
  },
  defaultUpdateConfig,
  ['watchdog', 'zone', 'metered'],
);

const backoff: Field<BackoffConfig> = check(
  record<BackoffConfig>(
    {
      firstMinMs: milliseconds(1, 24 * hourMs),
      firstMaxMs: milliseconds(1, 24 * hourMs),
      factor: number({ min: 1, max: 10 }),
      maxMs: milliseconds(1, 24 * hourMs),
    },
    defaults.link.backoff,
  ),
  ({ firstMinMs, firstMaxMs, maxMs }, key) =>
    firstMinMs <= firstMaxMs && firstMaxMs <= maxMs
      ? undefined
      : {
          message: `${key} contradicts itself`,
          seen: `firstMinMs ${firstMinMs}, firstMaxMs ${firstMaxMs}, maxMs ${maxMs}`,
          expected: 'firstMinMs <= firstMaxMs <= maxMs',
        },
);

const gibibyte = 1024 ** 3;

const eventType: Field<EventTypeConfig> = record<EventTypeConfig>(
  {
    lane: choice<EventTypeConfig['lane']>(['alarm', 'state', 'bulk']),
    keepRows: integer({ min: 0, max: 100_000_000, unit: 'rows' }),
    keepSeconds: seconds(0, 3_650),
    keepBytes: integer({ min: 0, max: 1024 * gibibyte, unit: 'bytes' }),
    latestOnly: boolean(),
  },
  defaultEventType,
);

const eventTypes: Field<Record<string, EventTypeConfig>> = check(
  mapOf({ pattern: /^[A-Za-z][\w.-]*$/, expected: 'an event type such as meter.Reading' }, eventType),
  (types, key) => {
    const ours = Object.keys(types).find((type) => /^(flotilla|coordinator)\./.test(type));
    if (ours === undefined) return undefined;
    return { message: `${key} holds a type that is not the product's`, seen: ours, expected: 'types of your own' };
  },
);

/** The file as it stands, paths unresolved. */
export const agentConfigField: Field<AgentConfig> = record<AgentConfig>(
  {
    coordinator: record<AgentConfig['coordinator']>(
      {
        host,
        port: integer({ min: 1, max: 65_535 }),
        serverName: host,
        recoveryPort: integer({ min: 1, max: 65_535 }),
      },
      defaultAgentCoordinator,
      ['serverName', 'recoveryPort'],
    ),
    identity: record(
      { key: path, certificate: path, authority: path, renewAtShare: number({ min: 0.1, max: 0.95 }) },
      defaults.identity,
    ),
    state: path,
    grains: record(
      {
        file: path,
        directory: path,
        refreshSeconds: seconds(1, 7),
        executableTimeoutMs: milliseconds(1, hourMs),
      },
      defaults.grains,
    ),
    time: record({ maxSkewSeconds: integer({ min: 5, max: 86_400, unit: 'seconds' }) }, defaults.time),
    boot: record<AgentConfig['boot']>({ idFile: path, slotFile: path }, defaults.boot, ['slotFile']),
    jobs: record(
      {
        allow: list(text({ expected: 'a glob over argv[0]' })),
        maxOutputBytes: integer({ min: 0, max: 16_777_216, unit: 'bytes' }),
        maxConcurrent: integer({ min: 1, max: 256 }),
        timeoutSeconds: seconds(1, 30),
        shell: boolean(),
        policy: path,
      },
      defaults.jobs,
    ),
    update,
    selfUpdate: check(
      record<SelfUpdateConfig>(
        {
          keys: list(path, { min: 1, max: 16 }),
          proveSeconds: integer({ min: 10, max: 3_600, unit: 'seconds' }),
          soakSeconds: integer({ min: 0, max: 600, unit: 'seconds' }),
        },
        defaults.selfUpdate,
        ['keys'],
      ),
      ({ proveSeconds, soakSeconds }, key) =>
        soakSeconds < proveSeconds
          ? undefined
          : {
              message: `${key} contradicts itself`,
              seen: `proveSeconds ${proveSeconds}, soakSeconds ${soakSeconds}`,
              expected: 'soakSeconds < proveSeconds',
            },
    ),
    link: record(
      {
        keepaliveSeconds: seconds(1, 1),
        maxKeepaliveSeconds: seconds(1, 1),
        keyExchange: choice<'classic' | 'hybrid'>(['classic', 'hybrid']),
        packing: choice<'pack' | 'range'>(['pack', 'range']),
        backoff,
      },
      defaults.link,
    ),
    events: record(
      {
        socket: path,
        schemas: path,
        maxBytes: integer({ min: 65_536, max: 1024 * gibibyte, unit: 'bytes' }),
        minFreeBytes: integer({ min: 0, max: 1024 * gibibyte, unit: 'bytes' }),
        types: eventTypes,
      },
      defaults.events,
    ),
    log: record<AgentConfig['log']>(
      {
        level: choice(logLevels),
        file: path,
        maxBytes: integer({ min: 4_096, max: gibibyte, unit: 'bytes' }),
        keep: integer({ min: 0, max: 100, unit: 'files' }),
      },
      defaults.log,
      ['file'],
    ),
    service: record<AgentConfig['service']>(
      {
        user: text({ pattern: /^[a-z_][a-z0-9_-]{0,31}$/, expected: 'auto, root, or the name of a user' }),
        memoryMaxBytes: integer({ min: 96 * 1024 * 1024, max: 1024 * gibibyte, unit: 'bytes' }),
        cpuPercent: integer({ min: 1, max: 10_000, unit: 'per cent of one core' }),
      },
      defaults.service,
    ),
  },
  defaults,
  ['update'],
);
