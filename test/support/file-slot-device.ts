/** A device whose boot loader reads a file: a disk of two raw slots, and a "restart" that is a command, within one process. */
import { randomBytes, randomUUID } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Link, LinkStatus } from '../../src/agent/link/port.ts';
import { readRunning } from '../../src/agent/machine/running.ts';
import { createFileSlots } from '../../src/agent/slot/file-slot.ts';
import type { SlotBackend } from '../../src/agent/slot/slot-backend.ts';
import type { UpdatePolicy } from '../../src/agent/updater/updater-option.ts';
import { systemClock, type Clock } from '../../src/clock.ts';
import { packageRoot } from '../../src/config/package-root.ts';
import { buildBundle, readPublicKey } from '../../src/firmware/index.ts';

export const slotBytes = 64 * 512;
const startOf = { a: 128, b: 256 } as const;

/** A signed bundle for it: 32 KiB of noise into the slot that does not run. */
export async function buildSlotBundle(
  dir: string,
  version: string,
  {
    privateKeyPath,
    more = '',
    tables = '',
    product = 'file-meter',
  }: { privateKeyPath?: string; more?: string; tables?: string; product?: string },
): Promise<{ path: string; image: Buffer }> {
  const image = randomBytes(slotBytes);
  const at = join(dir, `slot-${version}-${randomUUID().slice(0, 8)}`);
  await mkdir(at, { recursive: true });
  await writeFile(join(at, 'rootfs.img'), image);
  const task = (slot: 'a' | 'b') => `task upgrade.${slot} {
    on-resource rootfs.img { raw_write(${startOf[slot]}) }
    ${more}
  }`;
  await writeFile(
    join(at, 'fwup.conf'),
    `meta-product = "${product}"\nmeta-version = "${version}"\nmeta-platform = "file-board"
    file-resource rootfs.img { host-path = "rootfs.img" }\n${tables}\n${task('a')}\n${task('b')}\n`,
  );
  const path = join(at, `${version}.fw`);
  const signed = privateKeyPath === undefined ? {} : { privateKeyPath };
  await buildBundle({ configPath: join(at, 'fwup.conf'), outputPath: path, ...signed });
  return { path, image };
}

export interface FileSlotDevice {
  slots: SlotBackend;
  running(): ReturnType<typeof readRunning>;
  policy: UpdatePolicy;
  directory: string;
  slot(name: 'a' | 'b'): Promise<Buffer>;
}

/** Its reboot command boots what the file of the slots says, and the machine is another one at once. */
export async function fileSlotDevice(dir: string, publicKeyPath: string): Promise<FileSlotDevice> {
  const at = (name: string) => join(dir, name);
  await mkdir(at('state'), { recursive: true });
  await writeFile(at('disk'), Buffer.alloc(512 * 512));
  await writeFile(at('slots'), 'active_slot=a\na.uuid=00000000-0000-0000-0000-000000000001\na.version=1.0.0\n');
  await writeFile(at('slot'), 'a\n');
  await writeFile(at('boot_id'), 'boot-1\n');
  const bootFile = join(packageRoot(), 'templates/slot/boot-file.sh');
  await writeFile(
    at('reboot.sh'),
    `#!/bin/sh\n${bootFile} ${at('slots')} >${at('slot')}\ndate +%N >>${at('boot_id')}.new\nmv ${at('boot_id')}.new ${at('boot_id')}\n`,
  );
  await chmod(at('reboot.sh'), 0o755);
  const slots = createFileSlots({
    file: at('slots'),
    slots: ['a', 'b'],
    activeVariable: 'active_slot',
    pendingVariable: 'upgrade_available',
    bootcountVariable: 'bootcount',
    uuidVariablePrefix: '',
  });
  return {
    slots,
    directory: at('state'),
    running: () => readRunning({ idFile: at('boot_id'), slotFile: at('slot') }, slots),
    policy: {
      product: 'file-meter',
      platform: 'file-board',
      publicKeys: [await readPublicKey(publicKeyPath)],
      destination: at('disk'),
      task: 'upgrade',
      reboot: { command: [at('reboot.sh')], timeoutSeconds: 60 },
      health: { checks: [], soakSeconds: 0, connectTimeoutSeconds: 1, noCoordinator: 'revert' },
    },
    async slot(name) {
      return (await readFile(at('disk'))).subarray(startOf[name] * 512, startOf[name] * 512 + slotBytes);
    },
  };
}

/** Waits are over at once: its restarts take no time, and nobody comes while it waits for a coordinator. */
export const hastyClock: Clock = {
  ...systemClock,
  schedule: (_delayMs, fn) => systemClock.schedule(1, fn),
};

/** A link that gives the parts of one file, as long as it is live. */
export function fileLink(path: string, isLive: () => boolean = () => true): Link {
  const status = (): LinkStatus => ({ state: isLive() ? 'live' : 'waiting', sinceMs: 0 });
  return {
    start() {},
    async stop() {},
    status,
    onChange: () => () => undefined,
    redial() {},
    wake() {},
    fetch: async ({ offset, length }) => (await readFile(path)).subarray(offset, offset + length),
    nacks: () => ({ retry: 0, 'need-schema': 0, reject: 0, 'too-large': 0, forbidden: 0 }),
    coordinatorNowMs: () => (isLive() ? Date.now() : undefined),
  };
}
