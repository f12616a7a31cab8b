/**
 * The files of a device's identity. Renaming a key and its certificate takes two renames, and power can go between
 * them; so both are switched by one:
 *
 *   device.key     → state/identity/current/device.key         the configured paths, once the first renewal is proven
 *   device.crt     → state/identity/current/device.crt
 *   authority.crt  → state/identity/current/authority.crt
 *   state/identity/current → 3                                 this link is replaced by a rename
 *   state/identity/3/{device.key,device.crt,authority.crt}     a generation: complete, and never changed again
 *   state/identity/4/…                                         a candidate
 *
 * Whatever instruction is the last before the power goes, the configured paths lead to a pair that fits.
 */
import * as realFileSystem from 'node:fs';
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { basename, dirname, join, relative } from 'node:path';

/** What is called of node:fs, so that a test can end the process between any two calls. */
export type IdentityFileSystem = Pick<
  typeof realFileSystem,
  | 'accessSync'
  | 'closeSync'
  | 'existsSync'
  | 'fsyncSync'
  | 'mkdirSync'
  | 'openSync'
  | 'readFileSync'
  | 'readdirSync'
  | 'readlinkSync'
  | 'realpathSync'
  | 'renameSync'
  | 'rmSync'
  | 'symlinkSync'
  | 'writeFileSync'
>;

export interface IdentityFiles {
  keyFile: string;
  certificateFile: string;
  authorityFile: string;
}

const names = { keyFile: 'device.key', certificateFile: 'device.crt', authorityFile: 'authority.crt' } as const;
const parts = Object.keys(names) as (keyof IdentityFiles)[];
const generationPattern = /^[1-9]\d{0,8}$/;

export class IdentityFolder {
  readonly configured: IdentityFiles;
  readonly #directory: string;
  readonly #fs: IdentityFileSystem;

  /** @param directory made at the first renewal, mode 0700 */
  constructor(directory: string, configured: IdentityFiles, fs: IdentityFileSystem = realFileSystem) {
    this.#directory = directory;
    this.configured = configured;
    this.#fs = fs;
  }

  generation(number: number): IdentityFiles {
    const at = (name: string): string => join(this.#directory, String(number), name);
    return {
      keyFile: at(names.keyFile),
      certificateFile: at(names.certificateFile),
      authorityFile: at(names.authorityFile),
    };
  }

  /** The highest number that was ever used here and is still there; 0 for none. */
  highest(): number {
    return Math.max(0, ...this.#generations());
  }

  /** Throws when the configured files can't be replaced: better known before a certificate is asked for. */
  requireReplaceable(): void {
    for (const part of parts) {
      const { W_OK, X_OK } = realFileSystem.constants;
      // oxlint-disable-next-line no-bitwise
      this.#fs.accessSync(dirname(this.configured[part]), W_OK | X_OK);
    }
  }

  /** The key of a new candidate, mode 0600, synced. What an earlier try has left under this number goes first. */
  begin(number: number, keyPem: string): void {
    const folder = join(this.#directory, String(number));
    this.#fs.mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    this.#fs.rmSync(folder, { recursive: true, force: true });
    this.#fs.mkdirSync(folder, { mode: 0o700 });
    this.#writeSynced(join(folder, names.keyFile), keyPem, 0o600);
    this.#syncFolder(folder);
    this.#syncFolder(this.#directory);
  }

  /** The candidate's certificate and what it trusts; whole or not at all. */
  complete(number: number, certificatePem: string, authorityPem: string): void {
    const { certificateFile, authorityFile } = this.generation(number);
    this.#replace(authorityFile, authorityPem, 0o644);
    this.#replace(certificateFile, certificatePem, 0o644);
    this.#syncFolder(dirname(certificateFile));
  }

  /** The key that a candidate was begun with; undefined when it is not there. */
  readKey(number: number): string | undefined {
    return this.#read(this.generation(number).keyFile);
  }

  /** Key, certificate and authorities are there, and the certificate is the key's. */
  isComplete(number: number): boolean {
    return this.#fits(this.generation(number));
  }

  /** The generation that the configured paths lead to; undefined while they are plain files. */
  current(): number | undefined {
    for (const part of parts) if (!this.#leadsHere(part)) return undefined;
    return this.#pointer();
  }

  /** From now on the configured paths lead to this generation. May be called again after it was cut off anywhere. */
  adopt(number: number): void {
    if (parts.some((part) => !this.#leadsHere(part))) this.#convert(number);
    this.#point(number);
  }

  /** Removes every generation but these and the one in use. */
  prune(keep: readonly number[]): void {
    if (!this.#fs.existsSync(this.#directory)) return;
    const kept = new Set<number | undefined>([...keep, this.#pointer()]);
    for (const number of this.#generations()) {
      if (!kept.has(number)) this.#fs.rmSync(join(this.#directory, String(number)), { recursive: true, force: true });
    }
    if (keep.length === 0 && this.#generations().length === 0) {
      this.#fs.rmSync(this.#directory, { recursive: true, force: true });
    }
  }

  /**
   * Plain files become links: what they hold is copied into a generation of its own, the pointer is set to it, and then
   * each file is replaced by a link to the same bytes. No step changes what a configured path reads as.
   */
  #convert(candidate: number): void {
    const base = Math.max(candidate, this.highest()) + 1;
    const files = this.generation(base);
    const folder = dirname(files.keyFile);
    this.#fs.mkdirSync(folder, { mode: 0o700 });
    for (const part of parts) {
      const bytes = this.#fs.readFileSync(this.configured[part]);
      this.#writeSynced(files[part], bytes, part === 'keyFile' ? 0o600 : 0o644);
    }
    this.#syncFolder(folder);
    this.#point(base);
    for (const part of parts) {
      const path = this.configured[part];
      const parent = this.#fs.realpathSync(dirname(path));
      const target = join(this.#fs.realpathSync(this.#directory), 'current', names[part]);
      this.#link(join(parent, basename(path)), relative(parent, target));
      this.#syncFolder(parent);
    }
  }

  #point(number: number): void {
    this.#link(join(this.#directory, 'current'), String(number));
    this.#syncFolder(this.#directory);
  }

  #link(path: string, target: string): void {
    const temporary = `${path}.new`;
    this.#fs.rmSync(temporary, { force: true });
    this.#fs.symlinkSync(target, temporary);
    this.#fs.renameSync(temporary, path);
  }

  #pointer(): number | undefined {
    const target = this.#readLink(join(this.#directory, 'current'));
    return target !== undefined && generationPattern.test(target) ? Number(target) : undefined;
  }

  /** Is the configured path a link into this folder? */
  #leadsHere(part: keyof IdentityFiles): boolean {
    const path = this.configured[part];
    const target = this.#readLink(path);
    if (target === undefined || !this.#fs.existsSync(this.#directory)) return false;
    const parent = this.#fs.realpathSync(dirname(path));
    return join(parent, target) === join(this.#fs.realpathSync(this.#directory), 'current', names[part]);
  }

  #generations(): number[] {
    if (!this.#fs.existsSync(this.#directory)) return [];
    return this.#fs
      .readdirSync(this.#directory)
      .filter((name) => generationPattern.test(name))
      .map(Number);
  }

  #fits(files: IdentityFiles): boolean {
    const key = this.#read(files.keyFile);
    const certificate = this.#read(files.certificateFile);
    if (key === undefined || certificate === undefined || this.#read(files.authorityFile) === undefined) return false;
    try {
      return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
    } catch {
      return false; // not PEM: an earlier file system error
    }
  }

  #replace(path: string, text: string, mode: number): void {
    const temporary = `${path}.new`;
    this.#fs.rmSync(temporary, { force: true });
    this.#writeSynced(temporary, text, mode);
    this.#fs.renameSync(temporary, path);
  }

  #writeSynced(path: string, data: string | Uint8Array, mode: number): void {
    const file = this.#fs.openSync(path, 'wx', mode);
    try {
      this.#fs.writeFileSync(file, data);
      this.#fs.fsyncSync(file);
    } finally {
      this.#fs.closeSync(file);
    }
  }

  #syncFolder(path: string): void {
    const folder = this.#fs.openSync(path, 'r');
    try {
      this.#fs.fsyncSync(folder);
    } finally {
      this.#fs.closeSync(folder);
    }
  }

  #read(path: string): string | undefined {
    try {
      return this.#fs.readFileSync(path, 'utf8');
    } catch {
      return undefined; // not there
    }
  }

  #readLink(path: string): string | undefined {
    try {
      return this.#fs.readlinkSync(path);
    } catch {
      return undefined; // not there, or a plain file
    }
  }
}
