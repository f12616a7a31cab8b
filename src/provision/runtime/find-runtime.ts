import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { access, chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { packageRoot } from '../../config/package-root.ts';
import { FlotillaError, systemErrorCode } from '../../error.ts';
import { readPinnedRuntimes, type PinnedRuntime, type RuntimeArch } from './pinned-runtime.ts';
import { readTarMember } from './tar-member.ts';

/** What runs on a device. */
export interface RuntimeTarget {
  /** As `uname -m` has it: `x86_64`, `aarch64`. */
  machine: string;
  libc: 'glibc' | 'musl';
  /** Of glibc: `2.36`. Unknown when absent. */
  libcVersion?: string;
}

export interface FoundRuntime {
  /** The program, on this machine. */
  path: string;
  version: string;
  arch: RuntimeArch;
  /** From an installed npm package, or from an archive in the cache. */
  origin: 'package' | 'cache';
}

export interface FindOption {
  /** Where archives of other architectures are put. */
  cacheDirectory?: string;
  /** The package's own root; for tests. */
  root?: string;
}

/** What Node 24's official builds need. */
const minGlibc = [2, 28] as const;
const minNodeMajor = 24;
/** e_machine of the ELF header, at 18. */
const elfMachine: Readonly<Record<RuntimeArch, number>> = { x64: 0x3e, arm64: 0xb7 };
const archOf: Readonly<Record<string, RuntimeArch>> = { x86_64: 'x64', amd64: 'x64', aarch64: 'arm64', arm64: 'arm64' };

export function runtimeCacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'flotilla', 'runtime');
}

/**
 * A Node for that device, found on this machine and never fetched: the installed npm package of its architecture, or the
 * package's archive in the cache, whose SHA-512 must be the one in the lockfile. When there is none, the error says how
 * to get it.
 */
export async function findRuntime(target: RuntimeTarget, option: FindOption = {}): Promise<FoundRuntime> {
  const { cacheDirectory = runtimeCacheDirectory(), root = packageRoot() } = option;
  const arch = fittingArch(target);
  const pinned = (await readPinnedRuntimes(root))[arch];
  const installed = await installedRuntime(pinned, arch, root);
  if (installed !== undefined) return installed;
  const cached = await cachedRuntime(pinned, arch, cacheDirectory);
  if (cached !== undefined) return cached;
  const spec = `${pinned.package}@${pinned.version}`;
  throw new FlotillaError('usage', 'runtime-missing', `there is no Node for ${target.machine} on this machine`, {
    seen: `neither an installed package ${pinned.package} nor ${archivePath(pinned, cacheDirectory)}`,
    suggestion: `mkdir -p ${cacheDirectory} && npm pack ${spec} --pack-destination ${cacheDirectory}`,
  });
}

function fittingArch({ machine, libc, libcVersion }: RuntimeTarget): RuntimeArch {
  const arch = Object.hasOwn(archOf, machine) ? archOf[machine] : undefined;
  if (arch === undefined) {
    throw new FlotillaError(
      'refused',
      'runtime-architecture',
      `there is no Node ${minNodeMajor} for this architecture`,
      {
        seen: machine,
        expected: 'x86_64 or aarch64; Node has ended its 32-bit builds',
        suggestion: `a Node ${minNodeMajor} of your own build on the device, in its PATH`,
      },
    );
  }
  if (libc === 'musl') {
    throw new FlotillaError('refused', 'runtime-musl', 'the Node that is brought along needs glibc', {
      seen: 'musl',
      suggestion: `install the system's own on the device: apk add nodejs (it must be ${minNodeMajor} or newer)`,
    });
  }
  const [major = 0, minor = 0] = (libcVersion ?? minGlibc.join('.')).split('.').map(Number);
  if (major > minGlibc[0] || (major === minGlibc[0] && minor >= minGlibc[1])) return arch;
  throw new FlotillaError(
    'refused',
    'runtime-glibc',
    "the device's C library is too old for the Node that is brought along",
    {
      seen: `glibc ${libcVersion}`,
      expected: `glibc ${minGlibc.join('.')} or newer`,
      suggestion: `a Node ${minNodeMajor} of your own build on the device, in its PATH`,
    },
  );
}

async function installedRuntime(
  pinned: PinnedRuntime,
  arch: RuntimeArch,
  root: string,
): Promise<FoundRuntime | undefined> {
  const manifest = resolveManifest(pinned.package, root);
  if (manifest === undefined) return undefined;
  const { version } = JSON.parse(await readFile(manifest, 'utf8')) as { version: string };
  const path = join(dirname(manifest), 'bin', 'node');
  if (Number.parseInt(version, 10) < minNodeMajor || !(await isProgramFor(path, arch))) return undefined;
  return { path, version, arch, origin: 'package' };
}

function resolveManifest(name: string, root: string): string | undefined {
  try {
    return createRequire(join(root, 'package.json')).resolve(`${name}/package.json`);
  } catch {
    return undefined; // npm leaves out the packages of other architectures
  }
}

async function cachedRuntime(
  pinned: PinnedRuntime,
  arch: RuntimeArch,
  directory: string,
): Promise<FoundRuntime | undefined> {
  const archive = archivePath(pinned, directory);
  const digest = await sha512Of(archive);
  if (digest === undefined) return undefined;
  if (digest !== pinned.integrity) {
    throw new FlotillaError('refused', 'runtime-integrity', `${archive} is not what this release was made with`, {
      seen: digest,
      expected: pinned.integrity,
      suggestion: `remove it, then: npm pack ${pinned.package}@${pinned.version} --pack-destination ${directory}`,
    });
  }
  const path = join(directory, `${pinned.package}-${pinned.version}`, 'node');
  if (!(await isProgramFor(path, arch))) await unpack(archive, path);
  if (await isProgramFor(path, arch)) return { path, version: pinned.version, arch, origin: 'cache' };
  throw new FlotillaError('failed', 'runtime-archive-damaged', `${archive} holds no program for ${arch}`);
}

/** As `npm pack` names it. */
function archivePath({ package: name, version }: PinnedRuntime, directory: string): string {
  return join(directory, `${name}-${version}.tgz`);
}

async function unpack(archive: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const fresh = `${path}.${process.pid}`;
  try {
    const member = readTarMember(createReadStream(archive).pipe(createGunzip()), 'package/bin/node');
    await pipeline(member, createWriteStream(fresh));
    await chmod(fresh, 0o755);
    await rename(fresh, path);
  } finally {
    await rm(fresh, { force: true });
  }
}

async function sha512Of(path: string): Promise<string | undefined> {
  try {
    await access(path);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  const hash = createHash('sha512');
  await pipeline(createReadStream(path), hash);
  return `sha512-${hash.digest('base64')}`;
}

/** An ELF of that machine. */
async function isProgramFor(path: string, arch: RuntimeArch): Promise<boolean> {
  try {
    await using file = await open(path, 'r');
    const { buffer, bytesRead } = await file.read(Buffer.alloc(20), 0, 20, 0);
    return bytesRead === 20 && buffer.readUInt32BE(0) === 0x7f454c46 && buffer.readUInt16LE(18) === elfMachine[arch];
  } catch {
    return false;
  }
}
