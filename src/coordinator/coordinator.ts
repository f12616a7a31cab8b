import { constants, existsSync } from 'node:fs';
import { access, mkdir, rm } from 'node:fs/promises';
import { createPrivateKey, randomBytes, randomInt } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { Clock } from '../clock.ts';
import { loadProfiles, rolloutTimers, type CoordinatorConfig } from '../config/index.ts';
import { PayloadReader } from '../eventlog/schema/index.ts';
import { FlotillaError, systemErrorCode } from '../error.ts';
import type { Log } from '../log.ts';
import { acquireLock, openStore, type Store } from '../store/index.ts';
import { checkpointFileName, type CheckpointSigner } from '../audit/index.ts';
import type { TrustedAuthority } from '../pki/peer-reader.ts';
import { startApi } from './api/api.ts';
import { startRemoteApi, type RemoteApi } from './api/remote-api.ts';
import { CheckpointFile } from './audit/checkpoint-file.ts';
import { CheckpointKeeper } from './audit/checkpoint-keeper.ts';
import { RefusalLog } from './audit/refusal-log.ts';
import type { AuthorityKeeper } from './authority/keeper.ts';
import { timeSignerOf } from './authority/time-signer.ts';
import { recoveryTrust, trustedAuthorities } from './core/authority-operation.ts';
import { wantRotated } from './core/renewal-operation.ts';
import { Core } from './core/core.ts';
import type { CoreState } from './core/core-state.ts';
import { DeltaMaker, type MakeDelta } from './delta/delta-maker.ts';
import { startEst } from './est/index.ts';
import { loadState } from './core/load-state.ts';
import { schemaSource } from './core/schema-state.ts';
import { SuspectFile } from './core/suspect-file.ts';
import { ConnectGate } from './hook/connect-gate.ts';
import { EnrollGate, type EnrollQuestion } from './hook/enroll-gate.ts';
import type { ConnectHook, Hook } from './hook/connect-hook.ts';
import { Turn } from './core/turn.ts';
import type { GatewayPool } from './gateway/pool-option.ts';
import type { GatewayHandler } from './gateway/port.ts';
import type { Caller } from './operator/caller.ts';
import { LiveConnections } from './operator/live-connections.ts';
import type { TrustDocument } from './recovery/ipc.ts';
import type { RecoveryPort, RecoveryPortOption } from './recovery/recovery-port.ts';
import type { RenewalPolicy } from './renewal/reduce-renewal.ts';
import { readRunFile, removeRunFile, writeRunFile } from './run-file.ts';
import { ListPublisher } from './revocation/publish.ts';
import { serveRevocationList } from './revocation/serve.ts';
import { ConsumerStreams } from './service/consumer-streams.ts';
import type { ServiceContext } from './service/context.ts';
import { returnerNames, startReturners } from './service/start-returners.ts';
import { fireSchedules } from './service/fire-schedule.ts';
import { recoverDevice } from './service/recover-device.ts';
import { RenewalSigner } from './service/renewal-signer.ts';
import { adoptOperator } from './service/operator-service.ts';
import { trimDeadLetters } from './service/trim-dead-letters.ts';
import { trimRecordings } from './service/trim-recording.ts';

export interface CoordinatorOption {
  config: CoordinatorConfig;
  authorities: AuthorityKeeper;
  /** The certificate of the operator that `flotilla init` made, where it still stands. */
  firstOperatorPem?: string;
  /** The application's say about who may connect, for what `connectHook` of the config says. */
  connectHook?: ConnectHook;
  /** The same about who may enroll, for `enrollment.hook`. */
  enrollHook?: Hook<EnrollQuestion>;
  /** Folder of the `*.pub` keys that bundles must be signed with. */
  keyDirectory: string;
  version: string;
  /** The script of the store thread. */
  storeEntry: URL;
  /** The database never grows beyond this; a change that would is refused as on a full disk. */
  maxStoreBytes?: number;
  clock: Clock;
  log: Log;
  /** Starts what devices connect to. */
  startGateways(option: {
    handler: GatewayHandler;
    blobDirectory: string;
    authorities: readonly TrustedAuthority[];
  }): Promise<GatewayPool>;
  /** Starts what devices come to whose certificate has expired; absent: there is no such port. */
  startRecovery?(ask: RecoveryPortOption['ask'], trust: TrustDocument): Promise<RecoveryPort>;
  /** Makes delta bundles. */
  makeDelta(signal: AbortSignal): MakeDelta;
  /** An operator asked for the end, or the process can't go on (`error`). Called once. */
  onEnd(error?: FlotillaError): void;
}

export interface Coordinator {
  readonly port: number;
  readonly recoveryPort: number | undefined;
  readonly socket: string;
  readonly startedAtMs: number;
  /** Answers what is under way, sends the devices away with a hint when to come back, syncs, lets go of everything. */
  stop(): Promise<void>;
}

/** The core process: lock, store, core, gateways, API; in that order, and back when one of them can't start. */
export async function startCoordinator(option: CoordinatorOption): Promise<Coordinator> {
  const { config, clock, log } = option;
  const startedAtMs = clock.nowMs();
  const runDirectory = dirname(config.socket);
  const blobDirectory = join(config.data, 'blobs');
  const undo = new AsyncDisposableStack();
  let ended = false;
  const end = (error?: FlotillaError): void => {
    if (!ended) option.onEnd(error);
    ended = true;
  };
  try {
    await makeFolder(runDirectory, 'socket');
    await holdLock(undo, runDirectory);
    await makeFolder(blobDirectory, 'data');
    await rm(join(blobDirectory, 'tmp'), { recursive: true, force: true }); // uploads that a crash cut off
    const { store, forget } = await openOwnStore(undo, option, end);
    const state = await loadState(store, config.fleetId, newInstanceId(), startedAtMs);
    await loadProfiles(config.certificates.profiles); // what is wrong in them is told now, not at the first device
    await settleAuthorities(option.authorities, { store, state, nowMs: startedAtMs });
    const { minAgentVersion } = config.link;
    const renewal = renewalPolicyOf(config);
    const policy = { renewal, ...(minAgentVersion === undefined ? {} : { minAgentVersion }) };
    const suspectFile = new SuspectFile(join(config.data, 'suspects'));
    undo.defer(() => suspectFile.close());
    const gate = option.connectHook === undefined ? undefined : gateOf(option, option.connectHook);
    const core = new Core({ store, state, clock, log, policy, suspectFile, ...(gate === undefined ? {} : { gate }) });
    undo.defer(() => core.stop());
    const file = new CheckpointFile(join(config.data, checkpointFileName));
    const auditHeads = new CheckpointKeeper({
      core,
      clock,
      log,
      file,
      signer: () => signerOf(option.authorities),
      version: option.version,
    });
    const refusals = new RefusalLog({ core, clock, log });
    // Last of all that writes: what the gateways tell when they go is signed, too.
    undo.defer(() => auditHeads.stop());
    undo.defer(() => refusals.stop());
    const authorities = trustedAuthorities(state);
    const pool = await option.startGateways({ handler: core.handler, blobDirectory, authorities });
    undo.defer(() => pool.stop());
    undo.defer(option.authorities.onCertificate((own) => pool.setCertificate(own)));
    const signTime = (): void => void (state.timeSigner = timeSignerOf(option.authorities));
    undo.defer(option.authorities.onCertificate(signTime));
    signTime();
    await core.start(pool);
    const listening: { api?: RemoteApi } = {};
    const { listen, validDays } = config.certificates.crl;
    const revocationList = new ListPublisher({ core, clock, authorities: option.authorities, validDays });
    await auditHeads.start();
    undo.defer(option.authorities.onCertificate(() => auditHeads.signSoon()));
    undo.defer(followAuthorities(option.authorities, core, log));
    undo.defer(renewRotated(core, log));
    const late: { recovery?: RecoveryPort } = {};
    const context: ServiceContext = {
      core,
      clock,
      fleetId: config.fleetId,
      version: option.version,
      ...localCaller(),
      jobs: config.jobs,
      returners: returnerNames(config.returners),
      rolloutTimers: rolloutTimers(config),
      renewal,
      payloads: new PayloadReader(schemaSource(state.schemas)),
      get issuing() {
        return option.authorities.active;
      },
      authorities: option.authorities,
      loadProfiles: () => loadProfiles(config.certificates.profiles),
      revocationList,
      blobDirectory,
      keyDirectory: option.keyDirectory,
      listen: { host: config.listen.host, port: pool.port },
      recoveryPort: (): number | undefined => late.recovery?.port,
      apiListen: () => listening.api?.listen ?? {},
      maxTokenSeconds: config.api.maxTokenSeconds,
      connections: new LiveConnections(),
      gatewayPids: () => pool.pids,
      random: () => randomInt(2 ** 32) / 2 ** 32,
      newId: (prefix) => newId(prefix, clock.nowMs()),
      streams: new ConsumerStreams(),
      gate,
      deciding: new Set<number>(),
      auditHeads,
      refusals,
      // The answer leaves first.
      shutdown: () => setImmediate(() => end()),
    };
    undo.defer(await startReturners(context, config.returners, runDirectory, log));
    undo.defer(fireSchedules(context, log));
    const signer = new RenewalSigner(context, log);
    undo.defer(() => signer.stop());
    const trust = (): TrustDocument => recoveryTrust(core.state, option.authorities.rootPem);
    const ask = (question: Parameters<typeof recoverDevice>[1]) => recoverDevice(context, question, log);
    const recovery = await option.startRecovery?.(ask, trust());
    if (recovery !== undefined) {
      late.recovery = recovery;
      undo.defer(() => recovery.stop());
      const push = (): void => recovery.setTrust(trust());
      undo.defer(option.authorities.onCertificate(push));
      undo.defer(core.subscribe(({ kind }) => (kind === 'authority' ? push() : undefined)));
    }
    const makingDeltas = new AbortController();
    const make = option.makeDelta(makingDeltas.signal);
    const deltas = new DeltaMaker({ core, clock, log, blobDirectory, make, isOn: config.deltas.enabled });
    undo.defer(() => {
      makingDeltas.abort();
      return deltas.stop();
    });
    undo.defer(trimForEver(() => trimDeadLetters(context, config.deadLetters), clock, log));
    undo.defer(trimForEver(() => trimRecordings(context), clock, log));
    const { enrollment } = config;
    if (enrollment !== undefined) {
      const est = await startEst({ context, listen: enrollment.listen, log });
      undo.defer(() => est.close());
      const { hook } = enrollment;
      const approval =
        hook === undefined || option.enrollHook === undefined
          ? {}
          : { gate: new EnrollGate({ ...hook, hook: option.enrollHook, clock }) };
      context.enrollment = { host: enrollment.host ?? config.hosts[0] ?? 'localhost', port: est.port, ...approval };
    }
    const api = await startApi(context, config.socket, log);
    undo.defer(() => api.close());
    if (option.firstOperatorPem !== undefined) await adoptOperator(context, option.firstOperatorPem);
    const remote = await startRemoteApi(context, config.api, log);
    listening.api = remote;
    undo.defer(() => remote.close());
    if (listen !== undefined) {
      const served = await serveRevocationList(revocationList, listen, log);
      undo.defer(() => served.close());
      log.info({ host: listen.host, port: served.port }, 'the revocation list is served');
    }
    await writeRunFile(runDirectory, { pid: process.pid, port: pool.port, startedAtMs });
    undo.defer(() => removeRunFile(runDirectory));
    forget();
    return {
      port: pool.port,
      recoveryPort: recovery?.port,
      socket: config.socket,
      startedAtMs,
      stop: () => undo.disposeAsync(),
    };
  } catch (error) {
    await undo.disposeAsync();
    throw error;
  }
}

/** What the database and the files of the authorities do not know of each other: see AuthorityKeeper. */
async function settleAuthorities(
  authorities: AuthorityKeeper,
  { store, state, nowMs }: { store: Store; state: CoreState; nowMs: number },
): Promise<void> {
  const turn = new Turn(state, noGateways, nowMs);
  authorities.reconcile(turn);
  if (turn.writes.length > 0) await store.commit(turn.writes);
  await authorities.finish(state);
}

/** Files follow the database: of an authority whose overlap has ended, too. */
function followAuthorities(authorities: AuthorityKeeper, core: Core, log: Log): () => void {
  return core.subscribe(({ kind }) => {
    if (kind !== 'authority') return;
    authorities
      .finish(core.state)
      .catch((error) => log.error({ err: error }, 'the files of the authorities are not as they should be'));
  });
}

/** Devices whose certificate an older authority has signed get one of the present one. */
function renewRotated(core: Core, log: Log): () => void {
  const want = (): void => {
    core
      .submit((turn) => wantRotated(turn))
      .catch((error) => log.error({ err: error }, 'the renewals after a rotation could not be noted'));
  };
  want();
  return core.subscribe(({ kind }) => {
    if (kind === 'authority') want();
  });
}

function noGateways(): never {
  throw new FlotillaError('ours', 'core-not-started', 'there are no gateways yet');
}

/** The certificate and its key as they are now: both are new after a rotation. */
function signerOf({ own: { certificate, keyPem } }: AuthorityKeeper): CheckpointSigner {
  return { certificate, privateKey: createPrivateKey(keyPem) };
}

/** Once now and then every minute; returns what ends it. */
function trimForEver(trim: () => Promise<void>, clock: Clock, log: Log): () => void {
  let cancel: (() => void) | undefined;
  let ended = false;
  const turn = async (): Promise<void> => {
    await trim().catch((error) => log.error({ err: error }, 'what is no longer kept could not be removed'));
    if (!ended) cancel = clock.schedule(trimEveryMs, () => void turn());
  };
  void turn();
  return () => {
    ended = true;
    cancel?.();
  };
}

const trimEveryMs = 60_000;

/** @param key of coordinator.yaml that names the folder */
async function makeFolder(path: string, key: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await access(path, constants.W_OK | constants.X_OK);
  } catch (cause) {
    const code = systemErrorCode(cause);
    if (code === 'ENOSPC') throw cause;
    throw new FlotillaError('usage', 'folder-unusable', `the coordinator can't write into ${path}`, {
      seen: code ?? String(cause),
      expected: 'a folder of the user that runs the coordinator',
      suggestion: `mend its owner and mode, or set another ${key}: in coordinator.yaml`,
      cause,
    });
  }
}

async function holdLock(undo: AsyncDisposableStack, runDirectory: string): Promise<void> {
  const lock = acquireLock(join(runDirectory, 'coordinator.lock'));
  if (lock === undefined) {
    const running = await readRunFile(runDirectory);
    throw new FlotillaError('refused', 'coordinator-running', 'a coordinator of this fleet runs already', {
      seen: running === undefined ? `the lock in ${runDirectory} is held` : `pid ${running.pid}, port ${running.port}`,
      suggestion: 'flotilla coordinator status, or flotilla coordinator stop',
    });
  }
  undo.defer(() => lock.release());
}

/** A database that was made by a start that failed is removed again; `forget` after the start has succeeded. */
async function openOwnStore(
  undo: AsyncDisposableStack,
  { config, storeEntry, maxStoreBytes }: CoordinatorOption,
  end: (error: FlotillaError) => void,
): Promise<{ store: Store; forget: () => void }> {
  const path = join(config.data, 'flotilla.db');
  let remove = !existsSync(path);
  const limit = maxStoreBytes === undefined ? {} : { maxBytes: maxStoreBytes };
  const store = await openStore({ path, entry: storeEntry, onLost: end, ...limit });
  undo.defer(async () => {
    await store.close();
    if (!remove) return;
    for (const suffix of ['', '-wal', '-shm']) await rm(path + suffix, { force: true });
    await rm(join(config.data, checkpointFileName), { force: true });
  });
  return { store, forget: () => (remove = false) };
}

/** Who comes over the unix socket: the coordinator's own user, whom the mode of the socket lets in, may do all. */
function localCaller(): Caller {
  return { actor: `local:${process.getuid?.() ?? 0}`, role: 'admin', from: 'unix', via: 'socket' };
}

function renewalPolicyOf({ certificates }: CoordinatorConfig): RenewalPolicy {
  const { renewInFlight, renewalsPerDay, overlapSeconds } = certificates;
  return { inFlight: renewInFlight, perDay: renewalsPerDay, overlapMs: overlapSeconds * 1_000 };
}

function gateOf({ config, clock, log }: CoordinatorOption, hook: ConnectHook): ConnectGate {
  const { timeoutMs = 5_000, maxConcurrent = 16, cacheSeconds = 0 } = config.connectHook ?? {};
  return new ConnectGate({
    hook,
    timeoutMs,
    maxConcurrent,
    cacheMs: cacheSeconds * 1000,
    clock,
    log,
    random: () => randomInt(2 ** 32) / 2 ** 32,
  });
}

function newInstanceId(): string {
  const id = randomBytes(8);
  // 0 means "none" on the wire.
  return id.readBigUInt64BE() === 0n ? newInstanceId() : id.toString('hex');
}

/** Sorts by time; the random part keeps two of one millisecond apart. */
function newId(prefix: string, nowMs: number): string {
  return `${prefix}-${nowMs.toString(36)}${randomBytes(4).toString('hex')}`;
}
