/** Bundles that nobody may trust and disks that they do not fit: refused by CLI, coordinator and agent, each by itself. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { applyBundle, readPublicKey, readUbootEnvironment, type BundleSummary } from '../../src/firmware/index.ts';
import { flotilla } from '../support/cli.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import { refusal, refusalAsTyped } from '../support/refusal.ts';
import { canMount, mountSmallDisk, type SmallDisk } from '../support/small-disk.ts';

let fleet: TestFleet;
const scratch = (...path: string[]) => join(fleet.scratch, ...path);
const publicKey = () => join(fleet.dir, 'keys', 'firmware.pub');

async function must(args: string[]) {
  const ran = await fleet.cli(args);
  expect(ran.exitCode, `${args.join(' ')}\n${ran.stdout}${ran.stderr}`).toBe(0);
  return ran;
}

/** Two slots behind a redundant environment; slot b is where `upgrade` writes. */
const conf = `
meta-product = "gadget"
meta-version = "\${VERSION}"
meta-platform = "bench"
file-resource rootfs { host-path = "\${ROOTFS}" }
uboot-environment env { block-offset = 64 block-count = 16 block-offset-redund = 80 }
task complete {
    on-init { uboot_clearenv(env) }
    on-resource rootfs { raw_write(256) }
    on-finish {
        uboot_setenv(env, "a.uuid", "\\\${FWUP_META_UUID}")
        uboot_setenv(env, "active_slot", "a")
    }
}
task upgrade.b {
    require-uboot-variable(env, "active_slot", "a")
    on-init { uboot_unsetenv(env, "b.uuid") }
    on-resource rootfs { raw_write(16384) }
    on-finish {
        uboot_setenv(env, "b.uuid", "\\\${FWUP_META_UUID}")
        uboot_setenv(env, "bootcount", "0")
        uboot_setenv(env, "upgrade_available", "1")
        uboot_setenv(env, "active_slot", "b")
    }
}
`;

async function build(version: string, rootfsBytes: number, ...more: string[]): Promise<string> {
  const name = `${version}${more.join('').replaceAll(/[^a-z]/g, '')}`;
  const noise = Buffer.alloc(rootfsBytes);
  for (let at = 0; at < rootfsBytes; at += 65_536) crypto.getRandomValues(noise.subarray(at, at + 65_536));
  await writeFile(scratch('rootfs.bin'), noise);
  const defines = ['--define', `VERSION=${version}`, '--define', `ROOTFS=${scratch('rootfs.bin')}`];
  await must(['firmware', 'build', '-f', scratch('fwup.conf'), '-o', scratch(`${name}.fw`), ...defines, ...more]);
  return scratch(`${name}.fw`);
}

let good = '';
let unsigned = '';
let otherSigned = '';

beforeAll(async () => {
  fleet = await createFleet();
  await writeFile(scratch('fwup.conf'), conf);
  await must(['firmware', 'keygen', scratch('other')]);
  good = await build('1.0.0', 65_536);
  unsigned = await build('1.0.1', 65_536, '--unsigned');
  otherSigned = await build('1.0.2', 65_536, '--key', scratch('other.priv'));
});
afterAll(() => fleet?.[Symbol.asyncDispose]());

async function tampered(name: string, change: (bytes: Buffer) => Buffer | void): Promise<string> {
  const bytes = await readFile(good);
  const path = scratch(`${name}.fw`);
  await writeFile(path, change(bytes) ?? bytes);
  return path;
}

/** Where a member's local header starts and where its bytes stand, by the ZIP format's own numbers. */
function member(archive: Buffer, wanted: string): { header: number; start: number; end: number } {
  for (let at = archive.indexOf('PK\x03\x04'); at >= 0; at = archive.indexOf('PK\x03\x04', at + 4)) {
    const nameBytes = archive.readUInt16LE(at + 26);
    const start = at + 30 + nameBytes + archive.readUInt16LE(at + 28);
    const name = archive.toString('latin1', at + 30, at + 30 + nameBytes);
    if (name === wanted) return { header: at, start, end: archive.indexOf('PK\x07\x08', start) };
  }
  throw new Error(`no member ${wanted}`);
}

function flipAt(bytes: Buffer, offset: number): void {
  bytes[offset]! ^= 0x10;
}

describe('firmware verify', () => {
  it('without a key proves nothing and says so', async () => {
    const outside = await refusalAsTyped(flotilla, ['firmware', 'verify', good], { cwd: '/' });
    expect([outside.error.code, outside.exitCode]).toEqual(['firmware-no-key', 6]);
    expect(outside.error.suggestion).toContain('--key');
  });

  it.concurrent.each([
    ['another key', () => [good, '--key', scratch('other.pub')], 'firmware-wrong-key', 6],
    ['a bundle of another key', () => [otherSigned], 'firmware-wrong-key', 6],
    ['no signature', () => [unsigned], 'firmware-unsigned', 6],
    ['a file that is no bundle', () => [scratch('fwup.conf')], 'firmware-malformed', 6],
    ['a private key for a public one', () => [good, '--key', scratch('other.priv')], 'firmware-key-invalid', 2],
    ['no file', () => [scratch('absent.fw')], 'firmware-file-unreadable', 2],
  ])('names the reason: %s', async (_what, args, code, exit) => {
    const { error, exitCode } = await refusal(fleet.cli, ['firmware', 'verify', ...args()]);
    expect([error.code, exitCode]).toEqual([code, exit]);
  });

  it.concurrent.each([
    ['signature', 'meta.conf.ed25519', /^firmware-(bad-signature|wrong-key)$/],
    ['meta.conf', 'meta.conf', /^firmware-(metadata-damaged|wrong-key)$/],
    ['resource data', 'data/rootfs', /^firmware-resource-damaged$/],
  ])('refuses a flipped byte in %s, wherever it is', async (what, name, code) => {
    const { start, end } = member(await readFile(good), name);
    // Not the very first byte: the padding of a deflate block's head means nothing, not even to fwup.
    for (const share of [0.1, 0.5, 0.99]) {
      const at = Math.floor(start + share * (end - start));
      const path = await tampered(`${what}-${share}`, (bytes) => {
        bytes[at]! ^= 0xff; // all of it: a single bit may be the padding of another block's head
      });
      const { error, exitCode } = await refusal(fleet.cli, ['firmware', 'verify', path]);
      expect([error.code, exitCode]).toEqual([expect.stringMatching(code), 6]);
    }
  });

  it('refuses a whole meta.conf of another bundle under a good signature', async () => {
    const theirs = await readFile(unsigned);
    const path = await tampered('grafted', (bytes) => {
      const signature = bytes.subarray(member(bytes, 'meta.conf.ed25519').header, member(bytes, 'meta.conf').header);
      return Buffer.concat([signature, theirs]);
    });
    const { error, exitCode } = await refusalAsTyped(fleet.cli, ['firmware', 'verify', path]);
    expect([error.code, exitCode]).toEqual(['firmware-wrong-key', 6]);
  });

  it('refuses a flip in what is not signed, or it means the same: UUID, tasks, and the image', async () => {
    const bytes = await readFile(good);
    const directory = bytes.indexOf('PK\x01\x02');
    const tail = bytes.indexOf('PK\x05\x06');
    const times = ['meta.conf', 'data/rootfs'].flatMap((name) => [10, 13].map((at) => member(bytes, name).header + at));
    const step = Math.ceil((bytes.length - directory) / 14);
    const spread = Array.from({ length: 14 }, (_, n) => directory + n * step).filter((at) => at < bytes.length);
    const flips = [...times, ...spread, tail, bytes.length - 1];
    const wanted = summaryOf((await must(['firmware', 'verify', good, '--json'])).json());
    const image = await imageOf(good, 'good');
    const verdicts = { refused: 0, same: 0 };
    const one = async (at: number) => {
      const path = await tampered(`unsigned-${at}`, (copy) => flipAt(copy, at));
      const ran = await fleet.cli(['firmware', 'verify', path, '--json']);
      if (ran.exitCode === 0) {
        verdicts.same += 1;
        expect(summaryOf(ran.json()), `byte ${at}`).toEqual(wanted);
        expect(await imageOf(path, String(at)), `byte ${at}`).toBe(image);
      } else {
        verdicts.refused += 1;
        expect([ran.exitCode, ran.json().error.fault], `byte ${at}`).toEqual([6, 'refused']);
      }
    };
    for (let n = 0; n < flips.length; n += 2) await Promise.all(flips.slice(n, n + 2).map(one));
    expect(verdicts.refused).toBeGreaterThan(0);
    expect(verdicts.same).toBeGreaterThan(0); // a time is only a time
  });
});

const summaryOf = ({ uuid, tasks, resources }: BundleSummary) => ({ uuid, tasks, resources });

async function imageOf(path: string, name: string): Promise<string> {
  const destinationPath = scratch(`${name}.img`);
  await applyBundle({ path, destinationPath, task: 'complete', publicKeys: [await readPublicKey(publicKey())] });
  return createHash('sha256').update(await readFile(destinationPath)).digest('hex'); // prettier-ignore
}

describe('release publish', () => {
  const blobs = async () =>
    (await readdir(join(fleet.dir, 'data', 'blobs'), { recursive: true })).filter((name) => name !== 'tmp');
  const releases = async () => (await must(['release', 'list', '--json'])).json();

  it('stores nothing of a bundle that is unsigned, wrongly signed, damaged or no bundle', async () => {
    const data = member(await readFile(good), 'data/rootfs');
    const damaged = await tampered('damaged', (bytes) => flipAt(bytes, data.start + 100));
    const cut = await tampered('cut', (bytes) => bytes.subarray(0, data.start + 100));
    const cases: [string, string][] = [
      [unsigned, 'firmware-unsigned'],
      [otherSigned, 'firmware-wrong-key'],
      [damaged, 'firmware-resource-damaged'],
      [cut, 'firmware-resource-damaged'],
      [scratch('fwup.conf'), 'firmware-malformed'],
    ];
    for (const [path, code] of cases) {
      const { error, exitCode } = await refusalAsTyped(fleet.cli, ['release', 'publish', path]);
      expect([path, error.code, exitCode]).toEqual([path, code, 6]);
    }
    expect([await releases(), await blobs()]).toEqual([[], []]);
  });

  it('refuses everything while the coordinator has no key to verify with', async () => {
    await rename(publicKey(), scratch('moved.pub'));
    try {
      const { error, exitCode } = await refusal(fleet.cli, ['release', 'publish', good]);
      expect([error.code, exitCode]).toEqual(['firmware-no-key', 6]);
    } finally {
      await rename(scratch('moved.pub'), publicKey());
    }
    expect([await releases(), await blobs()]).toEqual([[], []]);
  });

  it('takes the same content again, and never other content under the same name', async () => {
    const first = (await must(['release', 'publish', good, '--json'])).json();
    expect((await must(['release', 'publish', good, '--json'])).json()).toEqual(first);
    const again = await build('1.0.0', 70_000);
    const { error, exitCode } = await refusalAsTyped(fleet.cli, ['release', 'publish', again]);
    expect([error.code, exitCode, error.expected]).toEqual(['release-exists', 6, `sha256 ${first.sha256}`]);
    expect([await releases(), await blobs()]).toEqual([[first], [first.sha256]]);
  });
});

describe('an agent', () => {
  const disks: SmallDisk[] = [];
  afterAll(async () => {
    for (const disk of disks) await disk[Symbol.asyncDispose]();
  });

  /** Slot a of its disk holds 0.9.0. */
  async function addDevice(id: string, place: { disk: string; state?: string; key: string }, bundle: string) {
    const publicKeys = [await readPublicKey(publicKey())];
    await applyBundle({ path: bundle, destinationPath: place.disk, task: 'complete', publicKeys });
    await writeFile(scratch(`${id}.slot`), 'a\n');
    const update = {
      product: 'gadget',
      platform: 'bench',
      keys: [place.key],
      destination: place.disk,
      slot: { backend: 'uboot', blockOffset: 64, blockCount: 16, blockOffsetRedund: 80 },
      reboot: { command: ['false'], timeoutSeconds: 5 },
    };
    const configure = (yaml: string) => {
      const document = parseDocument(yaml);
      document.setIn(['boot', 'slotFile'], scratch(`${id}.slot`));
      document.set('update', document.createNode(update));
      if (place.state !== undefined) document.set('state', place.state);
      return document.toString();
    };
    return fleet.addAgent(id, { configure });
  }

  async function smallDisk(name: string, sizeBytes: number): Promise<string> {
    await mkdir(scratch(name));
    disks.push(await mountSmallDisk(scratch(name), sizeBytes));
    return scratch(name);
  }

  it('refuses by itself what its own keys did not sign, and what does not fit; its slot stays as it was', async () => {
    const old = await build('0.9.0', 65_536);
    const next = await build('2.0.0', 2_500_000);
    await must(['release', 'publish', next]);
    const expected: Record<string, [state: string, code: string]> = { stranger: ['rejected', 'bundle-untrusted'] };
    const paths: Record<string, string> = { stranger: scratch('stranger.img') };
    await addDevice('stranger', { disk: paths['stranger']!, key: scratch('other.pub') }, old);
    if (canMount()) {
      paths['small-disk'] = join(await smallDisk('disk', 1024 * 1024), 'disk.img');
      await addDevice('small-disk', { disk: paths['small-disk'], key: publicKey() }, old);
      expected['small-disk'] = ['failed', 'disk-full'];
      paths['small-state'] = scratch('small-state.img');
      const state = await smallDisk('state', 2 * 1024 * 1024);
      await addDevice('small-state', { disk: paths['small-state'], key: publicKey(), state }, old);
      expected['small-state'] = ['failed', 'no-room'];
    }
    const ids = Object.keys(expected);
    for (const id of ids) await fleet.connected(id);

    const limits = ['--phase', 'rest', '--max-failures', String(ids.length), '--expect', String(ids.length)];
    const ran = await fleet.cli(['rollout', 'start', 'gadget/2.0.0', '*', ...limits, '--wait', '--json']);
    expect(ran.exitCode, ran.stdout).toBe(4);
    const shown = (await must(['rollout', 'status', ran.json().id, '--json'])).json();
    for (const { deviceId, state, reason } of shown.devices) {
      expect([deviceId, state, reason?.code], reason?.message).toEqual([deviceId, ...expected[deviceId]!]);
      expect(reason.message).toMatch(/key|free|room/);
    }
    for (const id of ids) {
      const layout = { blockOffset: 64, blockCount: 16, blockOffsetRedund: 80 };
      const environment = await readUbootEnvironment(paths[id]!, layout);
      expect(environment.get('active_slot')).toBe('a');
      expect(environment.has('b.uuid')).toBe(false);
      expect((await must(['device', 'show', id, '--json'])).json()).toMatchObject({ connected: true });
    }
    for (const id of ids) {
      const left = await readdir(id === 'small-state' ? scratch('state') : scratch(id, 'state'));
      expect(left.filter((name) => name.includes('download'))).toEqual([]);
    }
    await rm(next);
  });
});
