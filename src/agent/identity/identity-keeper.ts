import { createPrivateKey, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../clock.ts';
import { FlotillaError } from '../../error.ts';
import { jsonRow, type DeviceLog } from '../../eventlog/index.ts';
import type { Log } from '../../log.ts';
import { authorityDigest } from '../../pki/authority-bundle.ts';
import { encodeCsr } from '../../pki/create-csr.ts';
import { parseDeviceIdentity, type DeviceIdentity } from '../../pki/peer-identity.ts';
import type { CertificateEvent, CertificateRequestEvent } from '../../protocol/event.ts';
import { Lane } from '../../protocol/lane.ts';
import type { CertificateInstall, CertificateRenew } from '../../protocol/request.ts';
import type { LinkIdentity } from '../link/link-option.ts';
import type { Link, LinkStatus } from '../link/port.ts';
import { createIdentityTable, type IdentityTable } from '../state/identity-table.ts';
import { checkCertificate, type OfferedCertificate } from './check-certificate.ts';
import type { IdentityFolder } from './identity-folder.ts';
import {
  dialsBeforeProbe,
  maxRefusals,
  moveIdentity,
  renewalDueMs,
  type IdentityHappening,
  type IdentityRecord,
  type RenewalReason,
} from './identity-record.ts';
import type { Recovery } from './recovery.ts';

export interface IdentityKeeperOption {
  database: DatabaseSync;
  log: Pick<DeviceLog, 'append' | 'transact'>;
  clock: Clock;
  logger: Log;
  folder: IdentityFolder;
  /** At which share of its life a certificate is renewed, 0 to 1. */
  renewAtShare: number;
  /** Absent: no recovery port is known, and a certificate that has expired needs a person. */
  recovery?: Recovery;
  /** There are new events in the log. */
  onReport(): void;
}

type IdentityLink = Pick<Link, 'redial' | 'coordinatorNowMs' | 'onChange' | 'status'>;

const longestTimerMs = 3_600_000;
const shortestTimerMs = 1_000;
/** A request that was not answered within this is made once more. */
const askAgainMs = 3_600_000;
/** So many connections in a row that ended between TLS and WELCOME: perhaps our clock is wrong, and the certificate has ended. */
const silentEnds = 5;
/** What the other end says when it has something against the certificate. */
const certificateRefusals: ReadonlySet<string> = new Set(['unknown-device', 'revoked', 'expired', 'replaced']);
/** A connection that ends with one of these before WELCOME says nothing about it; another may have been cut by TLS. */
const busyCodes: ReadonlySet<string> = new Set(['overloaded', 'shutting-down', 'unsupported-agent', 'timeout']);

/**
 * Keeps the device's identity alive: asks for a new certificate in time, tries it before the old one goes, and asks on
 * the recovery port once it is too late. Every step is on disk before it is taken: see identity-record.ts.
 */
export class IdentityKeeper {
  readonly #option: IdentityKeeperOption;
  readonly #table: IdentityTable;
  #record: IdentityRecord;
  #link: IdentityLink | undefined;
  /** What the dial under way, or the session, shows. */
  #shown: 'configured' | 'candidate' | 'probe' = 'configured';
  #probedAtDials = 0;
  #silentEnds = 0;
  #cancelTimer: () => void = () => undefined;
  #unsubscribe: () => void = () => undefined;
  readonly #stopping = new AbortController();

  /** Finishes what the process before was in the middle of. */
  constructor(option: IdentityKeeperOption) {
    this.#option = option;
    this.#table = createIdentityTable(option.database);
    this.#record = this.#table.read();
    this.#resume();
  }

  get record(): IdentityRecord {
    return this.#record;
  }

  /** The files that the next dial shows. */
  readonly identity = (): LinkIdentity => {
    const { folder } = this.#option;
    const { state, dials, generation } = this.#record;
    if (state !== 'trying') this.#shown = 'configured';
    else if (dials > 0 && dials % dialsBeforeProbe === 0 && this.#probedAtDials < dials) {
      this.#probedAtDials = dials;
      this.#shown = 'probe';
    } else this.#shown = 'candidate';
    return this.#shown === 'candidate' ? folder.generation(generation) : folder.configured;
  };

  readonly handlers = {
    'certificate.renew': (_: CertificateRenew, settle: () => void): void => {
      if (this.#record.state === 'settled') this.#begin('asked', settle);
      else settle();
    },
    'certificate.install': (payload: CertificateInstall, settle: () => void): void => {
      if (this.#record.state !== 'requested' || payload.renewalId !== this.#record.renewalId) return settle();
      if ('refused' in payload) return this.#refused(payload.refused, settle);
      this.#install(fromBase64(payload), 'link', settle);
    },
  };

  start(link: IdentityLink): void {
    this.#link = link;
    this.#unsubscribe = link.onChange((status) => this.#guard(() => this.#follow(status)));
    this.#guard(() => this.#check());
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    this.#cancelTimer();
    this.#stopping.abort();
    await this.#option.recovery?.idle();
  }

  #resume(): void {
    const { folder, logger } = this.#option;
    const { state, generation } = this.#record;
    this.#guard(() => {
      if (state === 'trying' && folder.current() === generation) this.#settleProven();
      else if (state === 'requested' && (folder.readKey(generation) === undefined || this.#isOther())) {
        logger.warn({ generation }, 'the key of a renewal is of no use any more: it is begun anew');
        this.#move({ type: 'abandoned' });
      } else if (state === 'trying' && (!folder.isComplete(generation) || this.#isOther())) {
        logger.warn({ generation }, 'a new certificate is of no use any more: it is left');
        this.#move({ type: 'abandoned' });
      }
      folder.prune(this.#record.state === 'settled' ? [] : [generation]);
    });
  }

  /** Somebody has put another pair in place since. */
  #isOther(): boolean {
    return this.#own().serialHex !== this.#record.ofSerial;
  }

  /** Who the configured certificate says that we are. */
  #own(): DeviceIdentity {
    const { certificateFile } = this.#option.folder.configured;
    return parseDeviceIdentity(new X509Certificate(readFileSync(certificateFile)));
  }

  /** The coordinator's time where it is known, else this machine's. */
  #nowMs(): number {
    return this.#link?.coordinatorNowMs() ?? this.#option.clock.nowMs();
  }

  #move(happening: IdentityHappening, more: () => void = () => undefined): void {
    const before = this.#record;
    this.#record = moveIdentity(before, happening);
    try {
      this.#option.log.transact(() => {
        this.#table.write(this.#record);
        more();
      });
    } catch (error) {
      this.#record = before;
      throw error;
    }
  }

  #follow(status: LinkStatus): void {
    const { state, code } = status;
    if (state === 'live' || state === 'held') this.#silentEnds = 0;
    if (state === 'live') this.#option.recovery?.reset();
    if (this.#record.state === 'trying') this.#followTrial(status);
    if (state === 'live') this.#check();
    if (state !== 'waiting' && state !== 'refused') return;
    if (isSilentEnd(status)) this.#silentEnds += 1;
    this.#considerRecovery(code === 'expired');
  }

  #followTrial(status: LinkStatus): void {
    const { state, reason = state, code = reason } = status;
    if (state === 'live') {
      if (this.#shown === 'candidate') this.#prove();
      else if (this.#shown === 'probe') this.#fail();
      else this.#link?.redial('a new certificate'); // this dial began before it was there
      return;
    }
    if ((state !== 'waiting' && state !== 'refused') || this.#shown !== 'candidate') return;
    const isRefusal = certificateRefusals.has(code) || isSilentEnd(status);
    const why = { code: `not-connected-${code}`.slice(0, 64), message: reason.slice(0, 512) };
    this.#move({ type: 'dial-failed', isRefusal, reason: why });
    if (this.#record.refusals >= maxRefusals) this.#fail();
  }

  #check(): void {
    this.#cancelTimer();
    if (this.#stopping.signal.aborted || this.#link === undefined) return;
    const { renewAtShare, clock } = this.#option;
    const { state, notBeforeMs = 0, askedAtMs = 0 } = this.#record;
    const nowMs = this.#link.coordinatorNowMs();
    let waitMs = longestTimerMs;
    if (nowMs !== undefined && this.#link.status().state === 'live') {
      if (state === 'settled') {
        const dueMs = Math.max(renewalDueMs(this.#own(), renewAtShare), notBeforeMs);
        if (dueMs <= nowMs) this.#begin('due');
        else waitMs = dueMs - nowMs;
      } else if (state === 'requested' && nowMs - askedAtMs >= askAgainMs) this.#ask();
      else if (state === 'trying' && this.#shown === 'candidate') this.#prove();
    }
    const timerMs = Math.min(longestTimerMs, Math.max(shortestTimerMs, waitMs));
    this.#cancelTimer = clock.schedule(timerMs, () => this.#guard(() => this.#check()));
  }

  /** A new key, and the request for its certificate: in the log, or (`quietly`) for the recovery port. */
  #begin(cause: 'due' | 'asked', settle: () => void = () => undefined, quietly = false): void {
    const { folder, logger } = this.#option;
    try {
      folder.requireReplaceable();
    } catch (error) {
      const message = `the identity's files can't be replaced: ${(error as Error).message}`;
      logger.error({ err: error }, 'no renewal');
      this.#option.log.transact(settle);
      return this.#report({ outcome: 'failed', reason: { code: 'identity-read-only', message } });
    }
    const generation = Math.max(this.#record.generation, folder.highest());
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const renewalId = randomBytes(8).toString('hex');
    const ofSerial = this.#own().serialHex;
    try {
      folder.begin(generation + 1, privateKey.export({ type: 'pkcs8', format: 'pem' }) as string);
      this.#record = { ...this.#record, generation };
      this.#move({ type: 'begun', renewalId, cause, ofSerial }, () => {
        settle();
        if (!quietly) this.#ask();
      });
    } catch (error) {
      folder.prune([]);
      throw error;
    }
    logger.info({ renewalId, cause }, 'asking for a new certificate');
    this.#tell();
  }

  /** Once more, with the same key: no answer came, or it was not asked on the link before. */
  #ask(): void {
    const { renewalId, cause } = this.#record;
    this.#move({ type: 'asked', nowMs: this.#nowMs() }, () => this.#appendRequest(renewalId!, cause!));
    this.#tell();
  }

  #appendRequest(renewalId: string, cause: 'due' | 'asked'): void {
    const { log, clock, folder } = this.#option;
    const authoritySha256 = authorityDigest(readFileSync(folder.configured.authorityFile, 'utf8'));
    const value: CertificateRequestEvent = {
      renewalId,
      csr: this.#csr().toString('base64'),
      cause,
      authoritySha256,
    };
    const type = 'flotilla.certificate-request';
    log.append(Lane.control, jsonRow({ type, key: renewalId, timestampMs: clock.nowMs(), value }));
  }

  /** For the candidate's key. */
  #csr(): Buffer {
    const key = this.#option.folder.readKey(this.#record.generation);
    if (key !== undefined) return encodeCsr(this.#own().deviceId, createPrivateKey(key));
    throw new FlotillaError('ours', 'identity-key-gone', `the key of renewal ${this.#record.renewalId} is gone`);
  }

  #refused({ code, message, retryAfterMs }: RenewalReason & { retryAfterMs: number }, settle: () => void): void {
    const { renewalId } = this.#record;
    const reason = { code, message };
    this.#move({ type: 'refused', reason, retryAfterMs, nowMs: this.#nowMs() }, () => {
      settle();
      this.#append({ outcome: 'failed', reason, renewalId: renewalId!, via: 'link' });
    });
    this.#option.logger.warn({ renewalId, ...reason }, 'no new certificate');
    this.#option.folder.prune([]);
    this.#tell();
    this.#check();
  }

  #install(offered: OfferedCertificate, via: 'link' | 'recovery', settle: () => void = () => undefined): void {
    const { folder, logger } = this.#option;
    const { generation } = this.#record;
    const checked = checkCertificate(offered, {
      keyPem: folder.readKey(generation) ?? '',
      identity: this.#own(),
      authorityPem: readFileSync(folder.configured.authorityFile, 'utf8'),
      nowMs: this.#nowMs(),
    });
    if ('code' in checked) return this.#refused({ ...checked, retryAfterMs: 0 }, settle);
    const { certificatePem, authorityPem, identity } = checked;
    folder.complete(generation, certificatePem, authorityPem);
    this.#move({ type: 'installed', serial: identity.serialHex, via }, settle);
    this.#probedAtDials = 0;
    logger.info({ serial: identity.serialHex, via }, 'a new certificate is tried');
    this.#link?.redial('a new certificate');
  }

  /** The coordinator has seen the new one: it is put in place, and the old key goes. */
  #prove(): void {
    this.#option.folder.adopt(this.#record.generation);
    this.#settleProven();
  }

  #settleProven(): void {
    const { serial, renewalId, via } = this.#record;
    this.#move({ type: 'proven' }, () =>
      this.#append({ outcome: 'installed', renewalId: renewalId!, serial: serial!, via: via! }),
    );
    this.#shown = 'configured';
    this.#option.folder.prune([]);
    this.#option.logger.info({ serial, via }, 'the new certificate is in place');
    this.#tell();
  }

  /** Back to the old pair, which is where it always was. */
  #fail(): void {
    const { serial, renewalId, via, reason: known } = this.#record;
    const reason = known ?? { code: 'unknown', message: 'the new certificate did not connect' };
    this.#move({ type: 'failed', reason, nowMs: this.#nowMs() }, () =>
      this.#append({ outcome: 'failed', renewalId: renewalId!, serial: serial!, via: via!, reason }),
    );
    this.#shown = 'configured';
    this.#option.folder.prune([]);
    this.#option.logger.error({ serial, ...reason }, 'the new certificate does not connect: back to the old one');
    this.#tell();
  }

  #report(event: Omit<CertificateEvent, 'renewalId' | 'via'>): void {
    this.#option.log.transact(() => this.#append({ ...event, renewalId: randomBytes(8).toString('hex'), via: 'link' }));
    this.#tell();
  }

  #append(value: CertificateEvent): void {
    const { log, clock } = this.#option;
    const row = { type: 'flotilla.certificate', key: value.renewalId, timestampMs: clock.nowMs(), value };
    log.append(Lane.control, jsonRow(row));
  }

  /** Has the certificate ended, as far as anybody here can tell? Then the way back leads over the recovery port. */
  #considerRecovery(isTold: boolean): void {
    const { recovery } = this.#option;
    if (recovery === undefined || this.#record.state === 'trying') return;
    const isOver = isTold || this.#own().notAfterMs <= this.#nowMs() || this.#silentEnds >= silentEnds;
    if (!isOver || this.#nowMs() < (this.#record.notBeforeMs ?? 0)) return;
    recovery.due(() => this.#recover(recovery));
  }

  async #recover(recovery: Recovery): Promise<void> {
    const { folder, logger } = this.#option;
    if (this.#stopping.signal.aborted || this.#record.state === 'trying') return;
    if (this.#record.state === 'settled') this.#begin('due', undefined, true);
    const { state, renewalId } = this.#record;
    if (state !== 'requested') return;
    const answer = await recovery.ask(folder.configured, this.#csr(), this.#stopping.signal);
    // Meanwhile the link may have come back by itself.
    if (this.#stopping.signal.aborted || this.#record.renewalId !== renewalId) return;
    if (this.#record.state !== 'requested') return;
    if (answer.kind === 'issued') return this.#install(answer, 'recovery');
    logger.warn({ answer: answer.kind }, 'no new certificate from the recovery port');
    if (answer.kind === 'not-expired') this.#silentEnds = 0;
    if (answer.kind === 'not-expired' && this.#record.askedAtMs === undefined) {
      this.#move({ type: 'abandoned' });
      folder.prune([]);
    }
  }

  /** Not from the constructor: the link does not stand yet, and looks at the log when it comes. */
  #tell(): void {
    if (this.#link !== undefined) this.#option.onReport();
  }

  /** Trouble here (a full disk, a file that is gone) must cost no session: it is told, and tried again in time. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#option.logger.error({ err: error }, 'the identity could not be looked after');
      this.#cancelTimer();
      if (this.#stopping.signal.aborted) return;
      this.#cancelTimer = this.#option.clock.schedule(longestTimerMs / 60, () => this.#guard(() => this.#check()));
    }
  }
}

/** TLS was done, and no word came: whoever ends a connection so may have something against the certificate. */
function isSilentEnd({ state, stage, code }: LinkStatus): boolean {
  return state === 'waiting' && stage === 'hello' && code !== undefined && !busyCodes.has(code);
}

function fromBase64({ certificate, authority }: Extract<CertificateInstall, { certificate: string }>) {
  const decode = (text: string): Uint8Array => Buffer.from(text, 'base64');
  return {
    certificate: decode(certificate),
    ...(authority === undefined ? {} : { authorities: authority.map(decode) }),
  };
}
