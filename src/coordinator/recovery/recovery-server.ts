import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../clock.ts';
import { FlotillaError, systemErrorCode } from '../../error.ts';
import { createLog, type Log } from '../../log.ts';
import type { RecoveryAnswer } from '../../protocol/recovery.ts';
import { Channel } from '../../transport/channel.ts';
import { createRecoveryListener, type RecoveryListener } from '../../transport/recovery-listener.ts';
import { readJson, ToCore, ToGateway, writeJson } from '../gateway/ipc.ts';
import type { PeerIdentity } from '../gateway/port.ts';
import { startError } from '../gateway/start-error.ts';
import { AddressLimit } from './address-limit.ts';
import {
  ToRecovery,
  ToRecoveryCore,
  type AnswerDocument,
  type AskDocument,
  type RecoveryConfig,
  type TrustDocument,
} from './ipc.ts';
import { verifyPeer, type RecoveryTrust } from './verify-peer.ts';

export interface RecoveryServerOption {
  /** To the core; when it closes, so does this. */
  core: Duplex;
  clock: Clock;
  readSecretFile(path: string): Promise<Buffer>;
  /** The channel to the core is gone; the process has nothing left to do. */
  onEnd(): void;
}

const maxConnections = 64;
const questionTimeoutMs = 10_000;
/** Devices behind one NAT share an address; a stranger gets no more of it than they do. */
const addressLimit = { burst: 40, perSecond: 4, maxAddresses: 4_096 };
/** The core gives no answer: it is ending, or far behind. */
const coreTimeoutMs = 8_000;
const maxListenAttempts = 20;
const listenEveryMs = 100;
const busy: RecoveryAnswer = { kind: 'later', retryAfterSeconds: 60 };

/** Runs the recovery port until the core ends it. */
export function runRecovery(option: RecoveryServerOption): void {
  new RecoveryServer(option).run();
}

class RecoveryServer {
  readonly #option: RecoveryServerOption;
  readonly #limit = new AddressLimit(addressLimit);
  readonly #asked = new Map<number, (answer: RecoveryAnswer) => void>();
  #core!: Channel;
  #log!: Log;
  #trust!: RecoveryTrust;
  #tls!: RecoveryConfig['tls'];
  #listener: RecoveryListener | undefined;
  #lastId = 0;

  constructor(option: RecoveryServerOption) {
    this.#option = option;
  }

  run(): void {
    this.#core = new Channel(
      this.#option.core,
      (kind, body) => {
        if (kind === ToGateway.configure) {
          this.#start(readJson(body) as RecoveryConfig).catch((error: unknown) => this.#fail(error));
        } else if (kind === ToRecovery.trust) {
          this.#setTrust(readJson(body) as TrustDocument).catch((error: unknown) =>
            this.#log.error({ err: error }, 'the recovery port goes on with the identity that it had'),
          );
        } else if (kind === ToRecovery.answer) this.#answer(readJson(body) as AnswerDocument);
        else throw new RangeError(`the core said ${kind}`);
      },
      () => this.#option.onEnd(),
    );
  }

  async #start({ fleetId, listen, tls, trust, maxExpiredMs, logLevel, logDestination }: RecoveryConfig): Promise<void> {
    this.#log = createLog({ name: 'recovery', level: logLevel, destination: logDestination });
    this.#trust = { fleetId, maxExpiredMs, ...readTrust(trust) };
    this.#tls = tls;
    const { clock } = this.#option;
    this.#listener = createRecoveryListener<PeerIdentity>({
      ...(await this.#readOwn()),
      authorityPem: authorityPem(trust),
      maxConnections,
      questionTimeoutMs,
      admit: (address) => this.#limit.admit(address, clock.monotonicMs()),
      judge: (certificate, verdict) => {
        const verified = verifyPeer(certificate, verdict, this.#trust, clock.nowMs());
        if (verified.kind === 'expired') return { peer: verified.identity };
        if (verified.kind === 'not-expired') return { answer: { kind: 'not-expired' }, reason: 'not-expired' };
        const { reason, detail } = verified;
        return { answer: { kind: 'refused' }, reason, detail };
      },
      ask: (identity, csr, address) => this.#ask(identity, csr, address),
      onRefused: (reason, address, detail) => this.#log.warn({ reason, address, detail }, 'recovery refused'),
    });
    const port = await listenPatiently(this.#listener, listen);
    this.#core.send(ToCore.ready, (body) => body.varint(port));
  }

  #fail(error: unknown): void {
    this.#core.send(ToCore.failed, (body) => writeJson(body, startError(error).toJSON()));
    this.#core.end();
  }

  /** The coordinator's own files are read anew: after a rotation they are others. */
  async #setTrust(trust: TrustDocument): Promise<void> {
    this.#trust = { ...this.#trust, ...readTrust(trust) };
    this.#listener?.setIdentity({ ...(await this.#readOwn()), authorityPem: authorityPem(trust) });
  }

  async #readOwn(): Promise<{ keyPem: string; certificatePem: string }> {
    const [key, certificatePem] = await Promise.all([
      this.#option.readSecretFile(this.#tls.keyFile),
      readFile(this.#tls.certificateFile, 'utf8'),
    ]);
    return { keyPem: key.toString('utf8'), certificatePem };
  }

  #ask(identity: PeerIdentity, csr: Uint8Array, address: string): Promise<RecoveryAnswer> {
    this.#lastId += 1;
    const id = this.#lastId;
    const document: AskDocument = { id, identity, csr: Buffer.from(csr).toString('base64'), address };
    this.#core.send(ToRecoveryCore.ask, (body) => writeJson(body, document));
    return new Promise((resolve) => {
      const cancel = this.#option.clock.schedule(coreTimeoutMs, () => done(busy));
      const done = (answer: RecoveryAnswer): void => {
        cancel();
        this.#asked.delete(id);
        resolve(answer);
      };
      this.#asked.set(id, done);
    });
  }

  #answer({ id, ...answer }: AnswerDocument): void {
    const decode = (text: string): Uint8Array => Buffer.from(text, 'base64');
    this.#asked.get(id)?.(
      answer.kind === 'issued'
        ? { ...answer, certificate: decode(answer.certificate), authorities: answer.authorities.map(decode) }
        : answer,
    );
  }
}

/** A predecessor whose core was killed takes a moment to let go of the port. */
async function listenPatiently(listener: RecoveryListener, listen: { host: string; port: number }): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await listener.listen(listen);
    } catch (cause) {
      const code = systemErrorCode(cause) ?? 'unknown';
      if (code === 'EADDRINUSE' && attempt < maxListenAttempts) {
        await delay(listenEveryMs);
        continue;
      }
      throw new FlotillaError('failed', 'recovery-listen', `no recovery on ${listen.host}:${listen.port}`, {
        seen: code,
        suggestion: 'set another recovery.port in coordinator.yaml, or remove the section',
        cause,
      });
    }
  }
}

function readTrust({ roots, issuing }: TrustDocument): Pick<RecoveryTrust, 'roots' | 'issuing'> {
  return {
    roots: roots.map((pem) => new X509Certificate(pem)),
    issuing: issuing.map(({ pem, ...rest }) => ({ certificate: new X509Certificate(pem), ...rest })),
  };
}

function authorityPem({ roots, issuing }: TrustDocument): string {
  return [...issuing.map(({ pem }) => pem), ...roots].join('');
}
