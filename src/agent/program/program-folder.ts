/**
 * Where programs of the agent stand that came over the link, on the data partition, each in a folder that is named by the
 * UUID of its bundle. The launcher (templates/agent/launch.sh) reads the same files:
 *
 *     current            link to the folder of the one that has proven itself; absent: the one that was installed
 *     trial              link to the folder of the one that is being tried
 *     UUID/flotilla-agent.js
 *     UUID/sha256        of the program, as sha256sum writes it
 *     UUID/base          SHA-256 of the installed program in whose place it runs: where another is installed, it does not
 *     UUID/starts        one byte for each start on trial, written by the launcher before the start
 *     UUID/ends          exit codes of those, one a line, written by the launcher
 *     UUID/failed        `code: message`: it is not started on trial any more
 *
 * Links change in one instant, and only to what is whole and synced: wherever the power goes, one complete program starts.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, readlink, rename, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { systemErrorCode } from '../../error.ts';
import { programName } from './program-bundle.ts';
import type { Trial } from './program-verdict.ts';

/** Of a text that the launcher or an earlier process wrote. */
const maxTextBytes = 4_096;
const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export type ProgramLink = 'current' | 'trial';

export class ProgramFolder {
  readonly path: string;
  /** Of the installed program: hex SHA-256. */
  readonly #base: string;

  constructor(path: string, base: string) {
    this.path = path;
    this.#base = base;
  }

  /** The bundle whose program that link is. */
  async read(link: ProgramLink): Promise<string | undefined> {
    const target = await readlink(join(this.path, link)).catch(unlessMissing);
    return target !== undefined && uuidPattern.test(target) ? target : undefined;
  }

  async trial(): Promise<Trial | undefined> {
    const bundleUuid = await this.read('trial');
    if (bundleUuid === undefined) return undefined;
    const [base, starts, ends, failed] = await Promise.all(
      ['base', 'starts', 'ends', 'failed'].map((name) => this.#text(bundleUuid, name)),
    );
    return {
      bundleUuid,
      fits: base?.trim() === this.#base,
      starts: starts?.length ?? 0,
      ends: (ends ?? '').split('\n').flatMap((line) => (/^\d{1,3}$/.test(line) ? [Number(line)] : [])),
      ...(failed === undefined ? {} : { failed: failed.trim().slice(0, 512) || 'trial-failed: it is not said why' }),
    };
  }

  /** An empty place for a program; what an earlier attempt left there goes. */
  async prepare(bundleUuid: string): Promise<string> {
    await mkdir(this.path, { recursive: true, mode: 0o700 });
    const folder = join(this.path, bundleUuid);
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { mode: 0o700 });
    return join(folder, programName);
  }

  /** The program stands in its place and is whole: from here on the launcher starts it, so often and no more. */
  async place(bundleUuid: string): Promise<void> {
    const folder = join(this.path, bundleUuid);
    const program = join(folder, programName);
    const hash = createHash('sha256');
    await pipeline(createReadStream(program), hash);
    await syncFile(program);
    await this.#write(bundleUuid, 'sha256', `${hash.digest('hex')}  ${programName}\n`);
    await this.#write(bundleUuid, 'base', `${this.#base}\n`);
    await this.#write(bundleUuid, 'starts', '');
    await syncFile(folder);
    await this.#link('trial', bundleUuid);
  }

  /** Not to be started on trial any more. */
  async fail(bundleUuid: string, text: string): Promise<void> {
    await this.#write(bundleUuid, 'failed', `${text.replaceAll('\n', ' ').slice(0, 512)}\n`);
    await syncFile(join(this.path, bundleUuid));
  }

  /** What has proven itself is started from now on, and nothing else is. */
  async adopt(bundleUuid: string): Promise<void> {
    await this.#link('current', bundleUuid);
  }

  async endTrial(): Promise<void> {
    await this.#unlink('trial');
  }

  /** Nothing of it stays. */
  async discard(bundleUuid: string): Promise<void> {
    for (const link of ['trial', 'current'] as const) {
      if ((await this.read(link)) === bundleUuid) await this.#unlink(link);
    }
    await rm(join(this.path, bundleUuid), { recursive: true, force: true });
  }

  /** Programs that no link and nobody names, and names that a power cut left. */
  async prune(keep: readonly (string | undefined)[]): Promise<void> {
    const names = await readdir(this.path).catch(unlessMissing);
    const linked = [await this.read('current'), await this.read('trial'), ...keep];
    for (const name of names ?? []) {
      const isOld = uuidPattern.test(name) && !linked.includes(name);
      if (isOld || name.endsWith('.new')) await rm(join(this.path, name), { recursive: true, force: true });
    }
  }

  async #link(link: ProgramLink, bundleUuid: string): Promise<void> {
    const path = join(this.path, link);
    await rm(`${path}.new`, { force: true });
    await symlink(bundleUuid, `${path}.new`);
    await rename(`${path}.new`, path);
    await syncFile(this.path);
  }

  async #unlink(link: ProgramLink): Promise<void> {
    await rm(join(this.path, link), { force: true });
    await syncFile(this.path);
  }

  async #write(bundleUuid: string, name: string, text: string): Promise<void> {
    await using file = await open(join(this.path, bundleUuid, name), 'w', 0o600);
    await file.writeFile(text);
    await file.sync();
  }

  /** Of the program in that folder. */
  async #text(bundleUuid: string, name: string): Promise<string | undefined> {
    const path = join(this.path, bundleUuid, name);
    const found = await stat(path).catch(unlessMissing);
    if (found === undefined || !found.isFile()) return undefined;
    return (await readFile(path)).subarray(0, maxTextBytes).toString('latin1');
  }
}

async function syncFile(path: string): Promise<void> {
  await using file = await open(path, 'r');
  await file.sync();
}

function unlessMissing(error: unknown): undefined {
  if (!['ENOENT', 'EINVAL', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) throw error;
  return undefined;
}
