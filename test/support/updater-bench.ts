/** An updater in this process: a real disk and a real boot environment, and a link that gives parts while it is let. */
import { randomBytes, randomUUID } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createUbootSlots } from '../../src/agent/slot/uboot-slot.ts';
import { ProductHealth } from '../../src/agent/updater/product-health.ts';
import { Updater } from '../../src/agent/updater/updater.ts';
import type { UpdaterOption, UpdatePolicy } from '../../src/agent/updater/updater-option.ts';
import { decideBoot } from '../../src/board/boot-decision.ts';
import { productPath } from '../../src/board/index.ts';
import type { UpdateRules } from '../../src/config/agent-config.ts';
import { FlotillaError } from '../../src/error.ts';
import {
  applyBundle,
  buildBundle,
  readPublicKey,
  readUbootEnvironment,
  writeKeyPair,
  writeUbootEnvironment,
} from '../../src/firmware/index.ts';
import type { UpdateEvent } from '../../src/protocol/event.ts';
import { Lane } from '../../src/protocol/lane.ts';
import type { AgentParts } from './agent-parts.ts';
import { temporaryDirectory } from './temporary.ts';
import { updaterSurrounding } from './updater-surrounding.ts';

const layout = { blockOffset: 1024, blockCount: 16, blockOffsetRedund: 1280 };

export interface UpdaterBenchOption {
  /** In place of the one that has signed. */
  publicKeys?: Buffer[];
  rules?: Partial<UpdateRules>;
  health?: Partial<UpdatePolicy['health']>;
  grains?: () => Record<string, unknown>;
  rebootHold?: () => { reason: string } | undefined;
  onChange?: () => void;
  /** How long the restart is waited for: the command does nothing. */
  rebootSeconds?: number;
}

/** For all benches of one file of tests. */
let built: ReturnType<typeof build> | undefined;

async function build(): Promise<{ publicKey: Buffer; first: Buffer; second: Buffer }> {
  await using folder = await temporaryDirectory();
  const at = (name: string) => join(folder.path, name);
  const { publicKeyPath, privateKeyPath } = await writeKeyPair(at('key'));
  const bundleOf = async (version: string) => {
    await writeFile(at('boot.img'), 'boot');
    await writeFile(at('rootfs.img'), randomBytes(600_000));
    await buildBundle({
      configPath: join(productPath(), 'fwup.conf'),
      outputPath: at(`${version}.fw`),
      variables: { HM_VERSION: version, HM_BOOT: at('boot.img'), HM_ROOTFS: at('rootfs.img') },
      privateKeyPath,
      compressionLevel: 1,
    });
    return readFile(at(`${version}.fw`));
  };
  return {
    publicKey: await readPublicKey(publicKeyPath),
    first: await bundleOf('1.0.0'),
    second: await bundleOf('2.0.0'),
  };
}

/** Its link gives parts only while `gate.open` holds. */
export async function updaterBench(parts: AgentParts, option: UpdaterBenchOption = {}) {
  const at = (name: string) => join(parts.dir, name);
  const { publicKey, first, second: bytes } = await (built ??= build());
  const publicKeys = [publicKey];
  const disk = at('disk.img');
  await writeFile(at('1.0.0.fw'), first);
  await applyBundle({ path: at('1.0.0.fw'), destinationPath: disk, task: 'complete', publicKeys });
  const bundle = at('2.0.0.fw');
  await writeFile(bundle, bytes);
  const gate = { open: false, refusals: 0, fetches: 0, bytes: 0 };
  parts.link.fetch = async ({ offset, length }, signal) => {
    gate.fetches += 1;
    signal?.throwIfAborted();
    if (gate.refusals-- > 0) throw new FlotillaError('refused', 'blob-refused', 'not yet');
    if (!gate.open)
      await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)));
    gate.bytes += length;
    return bytes.subarray(offset, offset + length);
  };
  const slots = createUbootSlots({
    destination: disk,
    ...layout,
    activeVariable: 'active_slot',
    pendingVariable: 'upgrade_available',
    bootcountVariable: 'bootcount',
    uuidVariablePrefix: '',
  });
  const machine = { id: 'boot-1', slot: 'a', startMs: performance.now() };
  const boot = { bootId: () => machine.id, uptimeMs: () => performance.now() - machine.startMs };
  const productHealth = new ProductHealth({ database: parts.database, machine: boot });
  const hooks = at('hooks');
  const updaterOption = (): UpdaterOption => ({
    ...parts,
    ...updaterSurrounding({ database: parts.database, directory: parts.dir, machine: boot, rules: option.rules }),
    grains: async () => ({ timezone: 'UTC', ...option.grains?.() }),
    rebootHold: () => option.rebootHold?.(),
    onChange: () => option.onChange?.(),
    productHealth,
    slots,
    running: async () => ({
      bootId: machine.id,
      slot: machine.slot,
      bundleUuid: (await slots.read()).slots[machine.slot]!.uuid!,
    }),
    policy: {
      product: 'harbour-meter',
      platform: 'hm-gateway-1',
      publicKeys: option.publicKeys ?? publicKeys,
      destination: disk,
      task: 'upgrade',
      activeVariable: 'active_slot',
      reboot: { command: ['true'], timeoutSeconds: option.rebootSeconds ?? 0.01 },
      health: { checks: [], soakSeconds: 0, connectTimeoutSeconds: 1, ...option.health },
    },
    directory: parts.dir,
  });
  const bench = {
    updater: new Updater(updaterOption()),
    bundle,
    gate,
    productHealth,
    events: () => parts.events<UpdateEvent>(Lane.control, 'flotilla.update'),
    last: (rolloutId: string) => bench.events().findLast((event) => event.rolloutId === rolloutId),
    /** States with their waits, one after the other. */
    story: () =>
      bench
        .events()
        .map(({ state, wait }) => (wait === undefined ? state : `${state} (${wait.code})`))
        .filter((each, index, all) => each !== all[index - 1]),
    async hook(state: string, name: string, script: string, mode = 0o755): Promise<void> {
      await mkdir(join(hooks, `${state}.d`), { recursive: true });
      await writeFile(join(hooks, `${state}.d`, name), `#!/bin/sh\n${script}\n`);
      await chmod(join(hooks, `${state}.d`, name), mode);
    },
    /** The agent ends and another one starts. */
    async restart(): Promise<void> {
      await bench.updater.stop();
      bench.updater = new Updater(updaterOption());
      await bench.updater.start();
    },
    /** The machine as well: into the slot that its boot loader chooses. */
    async reboot(): Promise<void> {
      await bench.updater.stop();
      const { slot, changes } = decideBoot(await readUbootEnvironment(disk, layout), ['a', 'b']);
      if (Object.keys(changes).length > 0) await writeUbootEnvironment(disk, layout, changes);
      Object.assign(machine, { id: randomUUID(), slot, startMs: performance.now() });
      bench.updater = new Updater(updaterOption());
      await bench.updater.start();
    },
  };
  await bench.updater.start();
  return bench;
}
