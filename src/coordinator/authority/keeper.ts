import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FlotillaError } from '../../error.ts';
import type { Log } from '../../log.ts';
import { createAuthorityCsr, checkAuthorityCertificate } from '../../pki/authority-request.ts';
import {
  type FleetIdentity,
  type FleetIdentityFile,
  type FleetIssuing,
  type OwnIdentity,
  type SigningIssuing,
  issuingFile,
  issuingId,
  waitingFile,
} from '../../pki/fleet-identity.ts';
import { issueCoordinatorCertificate } from '../../pki/issue.ts';
import { createKey, formatPrivateKey } from '../../pki/key.ts';
import { constraintProblem, readNameConstraint, type NameConstraint } from '../../pki/name-constraint.ts';
import { parsePrivateKey } from '../../pki/parse-private-key.ts';
import { coordinatorServerName, deviceUri } from '../../pki/profile.ts';
import { replaceFile, shredFile, syncFolder, writeSynced } from '../../pki/replace-file.ts';
import { readSecretFile } from '../../pki/secret-file.ts';
import type { AuthorityRow } from '../../store/index.ts';
import { activateAuthority, activeAuthority } from '../core/authority-operation.ts';
import type { CoreState } from '../core/core-state.ts';
import type { Turn } from '../core/turn.ts';

export interface AuthorityKeeperOption {
  fleetId: string;
  files: FleetIdentityFile;
  /** What `loadFleetIdentity` has found there. */
  identity: FleetIdentity;
  /** Names and addresses that coordinator.yaml gives now: read again whenever a certificate is made. */
  readHosts(): Promise<readonly string[]>;
  log: Log;
}

/**
 * The files hold keys and certificates, the database says which authority signs, which is only trusted, and which is
 * over. A certificate that stands in its file is installed, whether or not the database knows it yet: that rename is
 * the moment of a rotation, and a start does whatever a crash has left undone behind it.
 */
export class AuthorityKeeper {
  readonly #option: AuthorityKeeperOption;
  readonly #issuing: Map<string, FleetIssuing>;
  #active: SigningIssuing;
  #own: OwnIdentity;
  #bundlePem: string;
  readonly #listeners = new Set<(own: OwnIdentity) => void>();
  /** One change of the files after another. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(option: AuthorityKeeperOption) {
    this.#option = option;
    const { issuing, own, bundlePem } = option.identity;
    this.#issuing = new Map(issuing.map((one) => [one.id, one]));
    this.#active = issuing.at(-1) as SigningIssuing;
    this.#own = own;
    this.#bundlePem = bundlePem;
  }

  /** What signs now. */
  get active(): SigningIssuing & { bundlePem: string } {
    return { ...this.#active, bundlePem: this.#bundlePem };
  }

  get rootPem(): string {
    return this.#option.identity.rootPem;
  }

  get own(): OwnIdentity {
    return this.#own;
  }

  /** Names that stand in the coordinator's own certificate. */
  get reservedHosts(): string[] {
    const names = this.#own.certificate.subjectAltName?.split(', ') ?? [];
    return names.map((name) => name.replace(/^(?:DNS|IP Address):/, ''));
  }

  /** Where the root key is: here (`encrypted` or `plain`), or somewhere else. */
  get rootKey(): 'encrypted' | 'plain' | 'detached' {
    const { pki } = this.#option.files;
    if (existsSync(join(pki, 'root.key'))) return 'plain';
    return existsSync(join(pki, 'root.key.enc')) ? 'encrypted' : 'detached';
  }

  /** The authority with that id while its key is here: it may still have to sign what only it can, such as its CRL. */
  signer(id: string): SigningIssuing | undefined {
    const found = this.#issuing.get(id);
    return found?.privateKey === undefined ? undefined : { ...found, privateKey: found.privateKey };
  }

  /** Told of each new certificate of the coordinator; returns the unsubscribe function. */
  onCertificate(listener: (own: OwnIdentity) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** What the database does not know of the files yet. The caller commits the turn, then calls `finish`. */
  reconcile(turn: Turn): void {
    for (const file of this.#issuing.values()) {
      const row = turn.state.authorities.get(file.id);
      if (row === undefined || row.state === 'requested') {
        const { id, fingerprintSha256, certificatePem: pem } = file;
        activateAuthority(turn, { id, fingerprintSha256, pem });
      } else if (row.fingerprintSha256 !== file.fingerprintSha256) {
        throw new FlotillaError('usage', 'pki-authority-exchanged', `the certificate of ${file.id} is another one`, {
          seen: file.fingerprintSha256,
          expected: row.fingerprintSha256,
          suggestion: 'restore pki/ and data/ from the same backup',
        });
      }
    }
    this.#active = this.#signing(turn.state);
  }

  #signing(state: CoreState): SigningIssuing {
    const id = activeAuthority(state)?.id ?? '';
    const signer = this.signer(id);
    if (signer !== undefined) return signer;
    throw new FlotillaError('usage', 'pki-authority-missing', `the authority that signs, ${id}, is not in its files`, {
      seen: [...this.#issuing.keys()].join(', '),
      expected: `${id}.crt and ${id}.key in ${this.#option.files.pki}`,
      suggestion: 'restore pki/ from a backup: all of its files together',
    });
  }

  /** Brings every file to where the database is. Safe to repeat, and to be killed in. */
  finish(state: CoreState): Promise<void> {
    return this.#alone(async () => {
      this.#active = this.#signing(state);
      await this.#buryEnded(state);
      await this.#writeBundle();
      if (this.#own.isHalfway) await this.#completePair();
      await this.#clearRemains();
      const { certificatePem } = this.#active;
      if (!this.#own.certificate.checkIssued(new X509Certificate(certificatePem))) await this.#issueOwn();
    });
  }

  /** Makes the key of the next authority, unless an earlier request has; the request itself is new each time. */
  request(number: number, nameConstraint: NameConstraint | undefined): Promise<string> {
    return this.#alone(async () => {
      const { fleetId, files } = this.#option;
      const { keyFile } = issuingFile(files, number);
      if (!existsSync(keyFile)) await replaceFile(keyFile, formatPrivateKey(await createKey()), 0o600);
      const privateKey = await this.#readKey(number);
      return createAuthorityCsr(privateKey, { fleetId, number, ...(nameConstraint && { nameConstraint }) });
    });
  }

  /** Looks at a certificate for the last request and puts it into its file: from here on there is no way back. */
  install(number: number, pem: string): Promise<Pick<AuthorityRow, 'id' | 'pem' | 'fingerprintSha256'>> {
    return this.#alone(async () => {
      const { fleetId, files } = this.#option;
      const privateKey = await this.#readKey(number);
      const publicKey = createPublicKey(privateKey);
      const expected = { rootPem: this.rootPem, fleetId, number, publicKey };
      const certificatePem = checkAuthorityCertificate(pem, expected, 'the certificate');
      await this.#requireOwnNames(certificatePem);
      await replaceFile(issuingFile(files, number).certificateFile, certificatePem, 0o644);
      const { fingerprint256, subject } = new X509Certificate(certificatePem);
      const fingerprintSha256 = fingerprint256.replaceAll(':', '').toLowerCase();
      const id = issuingId(number);
      const commonName = subject.slice('CN='.length);
      this.#issuing.set(id, { id, number, fleetId, commonName, certificatePem, fingerprintSha256, privateKey });
      return { id, pem: certificatePem, fingerprintSha256 };
    });
  }

  /** A new key and certificate for the coordinator, with the names that coordinator.yaml has now. */
  renewOwn(): Promise<OwnIdentity> {
    return this.#alone(async () => {
      await this.#issueOwn();
      return this.#own;
    });
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work, work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #readKey(number: number): Promise<KeyObject> {
    const { keyFile } = issuingFile(this.#option.files, number);
    return parsePrivateKey((await readSecretFile(keyFile)).toString('utf8'), keyFile);
  }

  /** An authority that must not sign for the coordinator or for a device of this fleet would end the fleet. */
  async #requireOwnNames(certificatePem: string): Promise<void> {
    const constraint = readNameConstraint(certificatePem);
    if (constraint === undefined) return;
    const { fleetId } = this.#option;
    const serverName = coordinatorServerName(fleetId);
    const problem =
      constraintProblem(constraint, {
        commonName: serverName,
        hosts: [serverName, ...(await this.#option.readHosts())],
        uris: [],
      }) ?? constraintProblem(constraint, { commonName: 'd', hosts: [], uris: [deviceUri(fleetId, 'd')] });
    if (problem === undefined) return;
    throw new FlotillaError('refused', 'pki-name-constraint', 'the name constraints leave out names of this fleet', {
      seen: problem,
      expected: `constraints that permit ${serverName}, hosts: of coordinator.yaml, and URIs of ${fleetId}`,
      suggestion: 'mend nameConstraints of the profile issuing in pki/profiles.yaml, then rotate again',
    });
  }

  async #issueOwn(): Promise<void> {
    const { fleetId, files } = this.#option;
    const pair = await issueCoordinatorCertificate(this.#active, { fleetId, hosts: await this.#option.readHosts() });
    const keyPem = formatPrivateKey(pair.privateKey);
    await writeSynced(waitingFile(files.coordinatorKey), keyPem, 0o600);
    await writeSynced(waitingFile(files.coordinatorCertificate), pair.certificatePem, 0o644);
    await rename(waitingFile(files.coordinatorKey), files.coordinatorKey);
    const certificate = new X509Certificate(pair.certificatePem);
    this.#own = { certificatePem: pair.certificatePem, certificate, keyPem, isHalfway: true };
    await this.#completePair();
    for (const listener of this.#listeners) listener(this.#own);
  }

  async #completePair(): Promise<void> {
    const { coordinatorCertificate } = this.#option.files;
    await rename(waitingFile(coordinatorCertificate), coordinatorCertificate);
    await syncFolder(coordinatorCertificate);
    this.#own = { ...this.#own, isHalfway: false };
  }

  /** What a new device is given: the authority that signs now, and the root. */
  async #writeBundle(): Promise<void> {
    const bundle = this.#active.certificatePem + this.rootPem;
    if (bundle === this.#bundlePem) return;
    await replaceFile(this.#option.files.authorityBundle, bundle, 0o644);
    this.#bundlePem = bundle;
  }

  /** Of exchanges that a crash has cut off before their first rename: each is begun anew. */
  async #clearRemains(): Promise<void> {
    const { pki } = this.#option.files;
    for (const name of await readdir(pki)) {
      if (name.endsWith('.key.new')) await shredFile(join(pki, name));
      else if (name.endsWith('.crt.new')) await rm(join(pki, name), { force: true });
    }
  }

  /** The key of an authority that is over is destroyed; its certificate is kept for those who look back. */
  async #buryEnded(state: CoreState): Promise<void> {
    const { files, log } = this.#option;
    for (const [id, { number }] of this.#issuing) {
      if (state.authorities.get(id)?.state !== 'retired') continue;
      const { certificateFile, keyFile } = issuingFile(files, number);
      const folder = join(files.pki, 'retired');
      await shredFile(keyFile);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await rename(certificateFile, join(folder, `${id}.crt`));
      await syncFolder(certificateFile);
      this.#issuing.delete(id);
      log.info({ authority: id }, 'the key of a retired authority is destroyed');
    }
  }
}
