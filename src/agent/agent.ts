import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import type { AgentConfig, UpdateConfig } from '../config/agent-config.ts';
import type { DoorStatus } from '../door/index.ts';
import { createDeviceLog, jsonRow, openDeviceDatabase } from '../eventlog/index.ts';
import type { Log } from '../log.ts';
import type { HistoryEvent, Running } from '../protocol/event.ts';
import { Lane, type Row } from '../protocol/lane.ts';
import { features } from '../protocol/message.ts';
import type { UpdateOffer } from '../protocol/request.ts';
import { logOption } from './event-rule.ts';
import { Door } from './door/door.ts';
import { SchemaShelf } from './door/schema-shelf.ts';
import { ContentCache } from './executor/content-cache.ts';
import { Executor } from './executor/executor.ts';
import { createActions } from './executor/perform-action.ts';
import { PolicySource } from './executor/policy-source.ts';
import { collectGrains } from './grain/collect-grain.ts';
import { GrainReporter } from './grain/grain-reporter.ts';
import { Inbox } from './inbox.ts';
import { IdentityFolder } from './identity/identity-folder.ts';
import { IdentityKeeper } from './identity/identity-keeper.ts';
import { Recovery } from './identity/recovery.ts';
import { signReceipt } from './identity/sign-receipt.ts';
import { defaultBackoff, type LinkOption } from './link/link-option.ts';
import type { Link, LinkStatus } from './link/port.ts';
import { LogReporter } from './log-reporter.ts';
import type { LaunchOption } from './program/program-option.ts';
import { ProgramUpdater } from './program/program-updater.ts';
import { createBootTime } from './machine/boot-time.ts';
import { WaitingProcess } from './machine/waiting-process.ts';
import { readRunning } from './machine/running.ts';
import { startWatchdog, type WatchdogOption } from './machine/watchdog.ts';
import { confirmBoot } from './slot/confirm-boot.ts';
import { createSlots } from './slot/create-slot.ts';
import { ensureAgentSchema } from './state/agent-schema.ts';
import { createJobTable } from './state/job-table.ts';
import { lockState } from './state/state-lock.ts';
import { createRevertedBundleTable, type RevertedBundle } from './state/reverted-bundle-table.ts';
import { createValueTable } from './state/value-table.ts';
import { TimeKeeper } from './time/time-keeper.ts';
import { TrustedClock } from './time/trusted-clock.ts';
import { ProductHealth } from './updater/product-health.ts';
import { refusedUpdate } from './updater/offer.ts';
import { isTerminal, type Update, type UpdateReason } from './updater/update.ts';
import { Updater } from './updater/updater.ts';
import { receiptBodyOf } from './updater/receipt.ts';
import { UpdateStore, type ReceiptSigner } from './updater/update-store.ts';

export interface AgentOption {
  config: AgentConfig;
  /** 32-byte Ed25519 keys of `update.keys`. */
  publicKeys: readonly Buffer[];
  agentVersion: string;
  /** The name in the coordinator's certificate. */
  serverName: string;
  /** The machine's: what the agent goes by is made of it and of signed time. */
  clock: Clock;
  identity: { fleetId: string; deviceId: string };
  logger: Log;
  /** 32-byte Ed25519 keys of which one must have signed the agent's own updates; absent: none, which refuses them. */
  programKeys?: readonly Buffer[];
  /** Absent: no launcher has started this process, and updates of its own program are refused. */
  launch?: LaunchOption;
  createLink(option: LinkOption): Link;
  /** The agent can't go on (its disk, its database): end the process, so that its supervisor starts another. */
  onFatal(error: unknown): void;
}

export interface Agent {
  /** Resolves when all parts run; the link goes on trying by itself. */
  start(): Promise<void>;
  /** Ends jobs and the session; an update goes on with the next start. */
  stop(): Promise<void>;
  linkStatus(): LinkStatus;
}

/** Puts the parts of an agent together. Throws when its state folder can't be used. */
export function createAgent(option: AgentOption): Agent {
  const { config, logger, agentVersion } = option;
  mkdirSync(config.state, { recursive: true, mode: 0o700 });
  const lock = lockState(join(config.state, 'agent.lock'));
  const database = openDeviceDatabase(join(config.state, 'agent.db'));
  ensureAgentSchema(database);
  const values = createValueTable(database);
  const clock = new TrustedClock({ clock: option.clock, values, maxSkewMs: config.time.maxSkewSeconds * 1_000 });
  const log = createDeviceLog(database, logOption(config.events, { state: config.state, nowMs: () => clock.nowMs() }));
  const schemas = new SchemaShelf({ database, log, clock, directory: config.events.schemas });

  const endpoint = { ...config.coordinator, serverName: option.serverName };
  const identity = new IdentityKeeper({
    database,
    log,
    clock,
    logger,
    folder: new IdentityFolder(join(config.state, 'identity'), {
      keyFile: config.identity.key,
      certificateFile: config.identity.certificate,
      authorityFile: config.identity.authority,
    }),
    renewAtShare: config.identity.renewAtShare,
    recovery: new Recovery({
      endpoint: { ...endpoint, port: config.coordinator.recoveryPort ?? config.coordinator.port + 1 },
      clock,
      logger,
      backoff: { ...defaultBackoff, ...pickBackoff(config.link.backoff) },
    }),
    onReport: () => link.wake(),
  });
  const link = option.createLink({
    endpoint,
    identity: identity.identity,
    log,
    agentVersion,
    clock,
    logger,
    receive: (...requests) => inbox.receive(...requests),
    onRequest: () => inbox.wake(),
    onMeeting(meeting, lanes) {
      if (meeting === 'first' || meeting === 'same') return;
      if (meeting === 'set-back') log.append(Lane.control, setBackEvent([...lanes], clock.nowMs()));
      // Not within the link's own turn: it is about to read the log.
      setImmediate(() => void introduce());
    },
    keepaliveMs: config.link.keepaliveSeconds * 1_000,
    maxKeepaliveMs: config.link.maxKeepaliveSeconds * 1_000,
    keyExchange: config.link.keyExchange,
    packing: config.link.packing,
    backoff: pickBackoff(config.link.backoff),
    schemas: schemas.catalogue(),
  });
  const reverted = createRevertedBundleTable(database);
  const slots = config.update === undefined ? undefined : createSlots(config.update);
  const running = () => readRunning(config.boot, slots);
  const machine = createBootTime(config.boot.idFile);
  const parts = { database, log, link, clock, logger, machine };
  const productHealth = new ProductHealth(parts);

  const keeper = new TimeKeeper({
    ...parts,
    time: clock,
    values,
    identity: option.identity,
    serverName: option.serverName,
    authorityFile: config.identity.authority,
    onSkew: () => void grains.refresh(),
  });
  const policy = new PolicySource({ path: config.jobs.policy, section: config.jobs, logger });
  const content = new ContentCache({ directory: join(config.state, 'content'), link });
  const waiting = new WaitingProcess({ clock: option.clock });
  const executor = new Executor({
    ...parts,
    policy: () => policy.current(),
    machine,
    content,
    perform: createActions({
      clock,
      log,
      content,
      waiting,
      rebootCommand: config.update?.reboot.command ?? ['reboot'],
      rebootHold: () => door.rebootHold(),
      refreshGrains: () => grains.refresh({ always: true }),
    }),
  });
  const stopping = new AbortController();
  const grains = new GrainReporter({
    ...parts,
    collect: () =>
      collectGrains({
        ...config.grains,
        agentVersion,
        running: () => describeRunning(running, config),
        clock: () => keeper.state(),
        zone: config.update?.zone,
        signal: stopping.signal,
        ...(config.update === undefined ? {} : { product: config.update.product }),
      }),
    refreshMs: config.grains.refreshSeconds * 1_000,
    onReport: () => {
      link.wake();
      updater?.poke();
    },
  });
  const receipt: ReceiptSigner = (update, nowMs) => {
    try {
      const body = receiptBodyOf(update, { ...option.identity, agentVersion }, nowMs);
      return signReceipt(body, identity.identity());
    } catch (error) {
      logger.error({ err: error, update: update.rolloutId }, 'the receipt of an update could not be signed');
      return undefined;
    }
  };
  const updater =
    config.update === undefined || slots === undefined
      ? undefined
      : new Updater({
          ...parts,
          slots,
          running,
          policy: updatePolicy(config.update, option.publicKeys),
          receipt,
          rules: config.update,
          grains: () => grains.known(),
          rebootHold: () => door.rebootHold(),
          productHealth,
          directory: config.state,
          onDecided: () => {
            void confirmBoot(slots, running, logger);
            void grains.refresh();
          },
          onChange: () => door.tellUpdate(),
          onFatal: option.onFatal,
        });
  const jobs = createJobTable(database);
  const programUpdater = new ProgramUpdater({
    ...parts,
    ...config.selfUpdate,
    agentVersion,
    publicKeys: option.programKeys ?? [],
    ...(option.launch === undefined ? {} : { launch: option.launch }),
    directory: config.state,
    busy: () => {
      const { state } = updater?.last ?? {};
      if (state !== undefined && !isTerminal(state)) return `an update of the firmware is ${state}`;
      return jobs.started().length > 0 ? 'a job runs' : undefined;
    },
    onChange: () => door.tellUpdate(),
    onFatal: option.onFatal,
  });
  const allowBundle = (bundleUuid: string, by: 'coordinator' | 'device', settle?: () => void): boolean => {
    if (updater !== undefined) return updater.allowBundle(bundleUuid, by, settle);
    const store = new UpdateStore(parts);
    const wasReverted = store.within(() => {
      settle?.();
      return store.allowBundle(bundleUuid, by);
    });
    link.wake();
    return wasReverted;
  };
  const door = new Door({
    ...parts,
    config: config.events,
    schemas,
    agentVersion,
    describe: () => ({
      deviceId: option.identity.deviceId,
      clock: keeper.state(),
      ...describeUpdate(updater?.last),
      ...describeReverted(reverted.list()),
    }),
    updates: { updater, productHealth, programs: programUpdater },
    onRebootHold: () => updater?.poke(),
    onTimeReset: (reset) => keeper.reset(reset),
    onAllowBundle: (bundleUuid) => allowBundle(bundleUuid, 'device'),
    onFatal: option.onFatal,
  });
  const reporter = new LogReporter(parts);
  const refuseOffer = (offer: UpdateOffer, reason: UpdateReason, settle?: () => void): void => {
    const store = new UpdateStore(parts);
    store.within(() => {
      settle?.();
      store.announce(refusedUpdate(offer, reason, { fact: new Error('not asked'), nowMs: clock.nowMs() }));
    });
    link.wake();
  };
  const inbox = new Inbox({
    log,
    logger,
    clock,
    onReport: () => link.wake(),
    onFatal: option.onFatal,
    takers: { 'job.start': (job) => executor.accept(job), 'job.run': (job) => executor.accept(job) },
    handlers: {
      'job.cancel': (cancel, settle) => executor.cancel(cancel, settle),
      'job.follow': (follow, settle) => executor.follow(follow, settle),
      'update.offer': (offer, settle) => {
        if (updater) return updater.offer(offer, settle);
        const message = 'this device has no update: section in its configuration';
        refuseOffer(offer, { code: 'updates-not-configured', message }, settle);
      },
      'update.cancel': (cancel, settle) => (updater ? updater.cancel(cancel, settle) : settle()),
      'bundle.allow': ({ bundleUuid }, settle) => void allowBundle(bundleUuid, 'coordinator', settle),
      'agent.offer': (offer, settle) => programUpdater.offer(offer, settle),
      'grains.refresh': (_, settle) => {
        settle();
        void introduce();
      },
      ...identity.handlers,
      ...door.handlers,
      ...keeper.handlers,
    },
    abandon: {
      'job.start': (job, reason) => executor.abandon(job, reason),
      'job.run': (job, reason) => executor.abandon(job, reason),
      'update.offer': (offer, message) => refuseOffer(offer, { code: 'request-given-up', message }),
      'agent.offer': (offer, message) => programUpdater.refuse(offer, message),
      ...door.abandon,
    },
  });
  const logBoot = async (): Promise<void> => {
    const value = { running: await describeRunning(running, config), agentVersion };
    if (stopping.signal.aborted) return;
    log.append(Lane.control, jsonRow({ type: 'flotilla.boot', timestampMs: clock.nowMs(), value }));
    logger.info(value, 'agent started');
  };
  /** Everything that a coordinator has to know of this device, for one that has forgotten it or never knew. */
  const introduce = async (): Promise<void> => {
    await logBoot();
    if (stopping.signal.aborted) return;
    door.announceAgain();
    await grains.refresh({ always: true });
    link.wake();
  };
  let stopWatchdog: (() => void) | undefined;

  return {
    async start() {
      const { watchdog } = config.update ?? {};
      if (watchdog) stopWatchdog = startWatchdog({ ...watchdog, ...watchdogRule(() => updater), logger });
      await logBoot();
      executor.start();
      reporter.start();
      keeper.start();
      link.onChange(({ state, reason, features: common }) => {
        if (common !== undefined) grains.meet({ takesChanges: (common & features.grainsChange) !== 0 });
        if (state === 'live') logger.info('connected');
        else if (state === 'held') logger.warn({ reason }, 'connected with the control lane alone');
        if (state === 'held' && reason === 'pending') void grains.claim();
      });
      identity.start(link);
      link.start();
      await door.start();
      await updater?.start();
      await programUpdater.start();
      if (slots) await confirmBoot(slots, running, logger);
      inbox.wake();
      await grains.start();
    },
    async stop() {
      stopping.abort();
      waiting.stop();
      reporter.stop();
      keeper.stop();
      await Promise.all([door.stop(), identity.stop()]);
      await Promise.all([inbox.stop(), executor.stop(), grains.stop(), updater?.stop(), programUpdater.stop()]);
      await link.stop();
      stopWatchdog?.();
      database.close();
      lock.release();
    },
    linkStatus: () => link.status(),
  };
}

function setBackEvent(lanes: HistoryEvent['lanes'], timestampMs: number): Row {
  const value: HistoryEvent = { outcome: 'coordinator-set-back', lanes };
  return jsonRow({ type: 'flotilla.history', key: value.outcome, timestampMs, value });
}

/** For reports: what the slots say may be missing there, the boot id may not. */
async function describeRunning(running: () => Promise<Running>, { boot }: AgentConfig): Promise<Running> {
  return running().catch(() => readRunning(boot).catch(() => readRunning({ idFile: boot.idFile })));
}

function updatePolicy(update: UpdateConfig, publicKeys: readonly Buffer[]) {
  const { product, platform, destination, task, slot, reboot, health } = update;
  const variable = slot.backend === 'uboot' ? { activeVariable: slot.activeVariable } : {};
  return { product, platform, publicKeys, destination, task, ...variable, reboot, health };
}

/** A slot that was given up starves the watchdog; one on probation does not disarm it: no agent may come after this one. */
function watchdogRule(updater: () => Updater | undefined): Pick<WatchdogOption, 'isWell' | 'mayDisarm'> {
  const unproven: ReadonlySet<string> = new Set(['rebooting', 'testing', 'reverting']);
  return {
    isWell: () => updater()?.givenUp !== true,
    mayDisarm: () => !unproven.has(updater()?.last?.state ?? ''),
  };
}

function pickBackoff({ firstMinMs, firstMaxMs, maxMs }: AgentConfig['link']['backoff']) {
  return { firstMinMs, firstMaxMs, maxMs };
}

function describeUpdate(update: Update | undefined): Pick<DoorStatus, 'update'> {
  if (update === undefined) return {};
  const { rolloutId, bundle, state, enteredAtMs, reason, wait } = update;
  const why = {
    ...(reason === undefined ? {} : { reason: `${reason.code}: ${reason.message}` }),
    ...(wait === undefined ? {} : { wait: `${wait.code}: ${wait.message}` }),
  };
  return { update: { rolloutId, version: bundle.version, state, sinceMs: enteredAtMs, ...why } };
}

function describeReverted(reverted: readonly RevertedBundle[]): Pick<DoorStatus, 'revertedBundles'> {
  return reverted.length === 0 ? {} : { revertedBundles: [...reverted] };
}
