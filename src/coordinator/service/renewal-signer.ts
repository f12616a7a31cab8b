import type { CertificateInstall } from '../../protocol/request.ts';
import type { Log } from '../../log.ts';
import { authorityDer, authorityDigest } from '../../pki/authority-bundle.ts';
import { parseCertificate } from '../../pki/certificate.ts';
import { installCertificate, moveRenewal } from '../core/renewal-operation.ts';
import type { ServiceContext } from './context.ts';
import { recordRenewal, signRenewal, type RenewalQuestion } from './issue-renewal.ts';

/** Signed at the same time; a signature takes a fraction of a millisecond, its request's check about one. */
const maxSigning = 4;

/**
 * Signs what devices ask for on the link. A request is durable when it comes here, and is taken up again by the next
 * process when this one ends before its answer is.
 */
export class RenewalSigner {
  readonly #context: ServiceContext;
  readonly #log: Log;
  readonly #waiting = new Set<string>();
  readonly #signing = new Map<string, Promise<void>>();
  readonly #unsubscribe: () => void;
  #stopped = false;

  constructor(context: ServiceContext, log: Log) {
    this.#context = context;
    this.#log = log;
    this.#unsubscribe = context.core.subscribe((change) => {
      if (change.kind === 'renewal' && change.state === 'requested') this.#add(change.deviceId);
    });
    for (const { deviceId, state } of context.core.state.renewals.values()) {
      if (state === 'requested') this.#add(deviceId);
    }
  }

  /** Waits for what is being signed. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe();
    await Promise.all(this.#signing.values());
  }

  #add(deviceId: string): void {
    this.#waiting.add(deviceId);
    this.#work();
  }

  #work(): void {
    for (const deviceId of this.#waiting) {
      if (this.#stopped || this.#signing.size >= maxSigning) return;
      if (this.#signing.has(deviceId)) continue;
      this.#waiting.delete(deviceId);
      const done = this.#sign(deviceId)
        .catch((error: unknown) => this.#log.error({ err: error, device: deviceId }, 'a renewal could not be signed'))
        .finally(() => {
          this.#signing.delete(deviceId);
          this.#work();
        });
      this.#signing.set(deviceId, done);
    }
  }

  async #sign(deviceId: string): Promise<void> {
    const { core } = this.#context;
    const { renewalId, csr, renews, authoritySha256, state } = core.state.renewals.get(deviceId) ?? {};
    if (state !== 'requested' || renewalId === undefined || csr === undefined || renews === undefined) return;
    const question: RenewalQuestion = { deviceId, csr: Buffer.from(csr, 'base64'), renews, via: 'link' };
    const signed = await signRenewal(this.#context, question);
    await core.submit((turn) => {
      const now = turn.state.renewals.get(deviceId);
      if (now?.state !== 'requested' || now.renewalId !== renewalId) return; // it asks for something else by now
      const device = turn.state.devices.get(deviceId)?.state;
      const refused =
        'code' in signed
          ? signed
          : device === 'accepted'
            ? undefined
            : { code: 'not-accepted', message: `the device is ${device ?? 'not known'}`, retryAfterMs: 0 };
      if (refused !== undefined || 'code' in signed) {
        const { code, message, retryAfterMs } = refused!;
        this.#log.warn({ device: deviceId, code, detail: message }, 'a renewal is refused');
        moveRenewal(turn, deviceId, { kind: 'fail', reason: message });
        installCertificate(turn, deviceId, { renewalId, refused: { code, message, retryAfterMs } });
        return;
      }
      const { certificate, bundlePem } = signed;
      recordRenewal(turn, this.#context, question, certificate);
      moveRenewal(turn, deviceId, { kind: 'issue', serial: certificate.serial });
      const payload: CertificateInstall = {
        renewalId,
        certificate: parseCertificate(certificate.pem).raw.toString('base64'),
        ...(authorityDigest(bundlePem) === authoritySha256
          ? {}
          : { authority: authorityDer(bundlePem).map((der) => der.toString('base64')) }),
      };
      installCertificate(turn, deviceId, payload);
    });
  }
}
