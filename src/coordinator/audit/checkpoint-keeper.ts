/** Signs the head of the audit log soon after it has moved, and looks at the start whether it is still what was signed. */
import type { X509Certificate } from 'node:crypto';
import { keyId, signCheckpoint, type AuditHead, type Checkpoint, type CheckpointSigner } from '../../audit/index.ts';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { Core } from '../core/core.ts';
import { auditRule, type AuditNote } from './write-audit.ts';
import type { CheckpointFile } from './checkpoint-file.ts';

export interface CheckpointKeeperOption {
  core: Core;
  clock: Clock;
  log: Log;
  /** As it is now: a rotation exchanges it. */
  signer(): CheckpointSigner;
  file: CheckpointFile;
  version: string;
}

/** After the first row that is not signed: how much of the end nobody vouches for, when the process is killed. */
const signAfterMs = 1_000;
/** Key in `meta`; src/store/audit-file.ts reads it. */
const metaKey = 'auditCheckpoint';

export class CheckpointKeeper {
  readonly #option: CheckpointKeeperOption;
  #signed: Checkpoint | undefined;
  #cancel: (() => void) | undefined;
  #signing: Promise<unknown> = Promise.resolve();
  #unsubscribe: (() => void) | undefined;

  constructor(option: CheckpointKeeperOption) {
    this.#option = option;
  }

  get certificate(): X509Certificate {
    return this.#option.signer().certificate;
  }

  get certificatePem(): string {
    return this.certificate.toString();
  }

  /** Of the file of heads. */
  get path(): string {
    return this.#option.file.path;
  }

  /** Never fails for what it finds: it is written where everybody can see it, in the log that it is about. */
  async start(): Promise<void> {
    const { core, log, file, version } = this.#option;
    try {
      const last = await file.open();
      const note = last === undefined ? await this.#withoutHead() : await this.#compare(last);
      if (note?.result === 'failed')
        log.error(note.detail, 'the audit log is not what was signed: flotilla audit verify');
      await core.submit((turn) => {
        if (note !== undefined) auditRule(turn, 'audit', note);
        auditRule(turn, 'coordinator', { action: 'coordinator.start', subject: '', detail: { version } });
      });
    } catch (error) {
      log.error({ err: error }, 'the head of the audit log could not be compared');
    }
    this.#unsubscribe = core.subscribe(({ kind }) => {
      if (kind === 'audit') this.signSoon();
    });
    await this.sign().catch((error: unknown) => this.#report(error));
  }

  /** Signs what there is now, unless that is done; durable when it resolves. */
  sign(): Promise<Checkpoint> {
    const signed = this.#signing.then(() => this.#sign());
    this.#signing = signed.catch(() => undefined);
    return signed;
  }

  async stop(): Promise<void> {
    const { core } = this.#option;
    if (this.#unsubscribe === undefined) return; // a start that has failed before: there is nothing to tell
    this.#unsubscribe();
    this.#cancel?.();
    try {
      await core.submit((turn) =>
        auditRule(turn, 'coordinator', { action: 'coordinator.stop', subject: '', detail: {} }),
      );
      await this.sign();
    } catch (error) {
      this.#report(error);
    }
  }

  /** Also when the key has changed: heads of the one before prove nothing from then on. */
  signSoon(): void {
    this.#cancel ??= this.#option.clock.schedule(signAfterMs, () => {
      this.#cancel = undefined;
      this.sign().catch((error: unknown) => {
        this.#report(error);
        this.signSoon();
      });
    });
  }

  async #sign(): Promise<Checkpoint> {
    const { core, clock, signer, file } = this.#option;
    const head = await core.store.auditHead();
    const { seq, hash, key } = this.#signed ?? {};
    if (seq === head.seq && hash === head.hash && key === keyId(this.certificate)) return this.#signed!;
    const { fleetId, instanceId } = core.state;
    const checkpoint = signCheckpoint(signer(), { fleetId, instanceId, ...head, atMs: clock.nowMs() });
    await file.append(checkpoint);
    const value = JSON.stringify(checkpoint);
    await core.submit((turn) => turn.write({ kind: 'meta', key: metaKey, value }));
    this.#signed = checkpoint;
    return checkpoint;
  }

  #report(error: unknown): void {
    this.#option.log.error({ err: error }, 'the head of the audit log could not be signed');
  }

  /** The rows behind the last signed head were written by a process that was killed, or by another hand. */
  async #compare(last: Checkpoint): Promise<AuditNote | undefined> {
    const { store, state } = this.#option.core;
    const head = await store.auditHead();
    const signed = { seq: last.seq, hash: last.hash };
    if (last.instanceId !== state.instanceId) return mismatch('the signed head is of another database', signed, head);
    if (last.seq > head.seq) return mismatch('rows that were signed are gone', signed, head);
    const row = last.seq === 0 ? undefined : (await store.rawAudit(last.seq, 1))[0];
    const found = row === undefined ? '' : Buffer.from(row.hash).toString();
    if (last.seq > 0 && found !== last.hash) return mismatch('a row that was signed is another one now', signed, head);
    if (head.seq === last.seq) return undefined;
    const detail = { from: last.seq + 1, to: head.seq, signed };
    return { action: 'audit.unanchored', subject: `rows ${detail.from} to ${detail.to}`, detail };
  }

  /** Only a log that this version has begun a moment ago has no signed head. */
  async #withoutHead(): Promise<AuditNote | undefined> {
    const { store } = this.#option.core;
    const head = await store.auditHead();
    const { entries } = await store.scanAudit({ filter: {}, direction: 'down', from: head.seq, to: 1, limit: 1 });
    if (entries[0]?.action === 'audit.begin') return undefined;
    return mismatch('the signed heads are gone', undefined, head);
  }
}

function mismatch(reason: string, signed: AuditHead | undefined, head: AuditHead): AuditNote {
  const detail = { reason, ...(signed === undefined ? {} : { signed }), head };
  return { action: 'audit.mismatch', subject: reason, detail, result: 'failed', code: 'audit-mismatch' };
}
