/** What is done to a device at the bench: a disk with the first release, a key of its own, a certificate, a configuration. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDocument, stringify } from 'yaml';
import { createBoard, readLoader, type BoardPath, type VirtualBoard } from '../board/index.ts';
import { applyBundle, readPublicKey } from '../firmware/index.ts';
import type { DemoCli } from './demo-cli.ts';
import type { PlannedDevice } from './fleet-plan.ts';

export interface BenchOption {
  cli: DemoCli;
  /** Folder of all boards. */
  boardsDir: string;
  bundlePath: string;
  /** fwup's public key, which goes into the device. */
  publicKeyPath: string;
  coordinator: { host: string; port: number };
  hardware?: { watchdogMs: number; firstTouchMs: number };
}

/** Silence of the agent after which a board resets itself; a dozen processes share two cores here. */
const demoHardware = { watchdogMs: 6000, firstTouchMs: 30_000 };

/** The device is switched off when this returns, and known to the coordinator. */
export async function prepareDevice(planned: PlannedDevice, option: BenchOption): Promise<VirtualBoard> {
  const { cli, boardsDir, bundlePath, publicKeyPath, coordinator, hardware = demoHardware } = option;
  const board = await createBoard({ dir: join(boardsDir, planned.id), deviceId: planned.id, ...hardware });
  const publicKeys = [await readPublicKey(publicKeyPath)];
  await applyBundle({ path: bundlePath, destinationPath: board.path.disk, task: 'complete', publicKeys });

  const at = (name: string): string => join(board.path.data, name);
  await cli.run([
    'agent',
    'init',
    board.path.data,
    '--id',
    planned.id,
    '--coordinator',
    `${coordinator.host}:${coordinator.port}`,
  ]);
  const signed = ['--out', at('device.crt'), '--authority-out', at('authority.crt')];
  await cli.run(['cert', 'sign', at('device.csr'), '--device', planned.id, ...signed]);
  await writeFile(at('grains.yaml'), stringify({ site: planned.site, board: 'hm-gateway-1' }));
  await writeFile(at('firmware.pub'), await readFile(publicKeyPath));
  await configureAgent(board);
  return board;
}

/** Adds to the agent.yaml that `agent init` wrote what it cannot know: the board's files, the disk, the checks. */
export async function configureAgent(board: VirtualBoard): Promise<void> {
  const file = join(board.path.data, 'agent.yaml');
  const document = parseDocument(await readFile(file, 'utf8'));
  for (const [key, value] of Object.entries(await productConfig(board.path)))
    document.set(key, document.createNode(value));
  await writeFile(file, document.toString());
}

async function productConfig({ disk, rootfs, bootId, slot, reboot, watchdog }: BoardPath) {
  const { environment } = await readLoader(disk);
  const check = (name: string) => ({
    name,
    command: [join(rootfs, 'usr/lib/health', `${name}.sh`)],
    timeoutMs: 10_000,
  });
  return {
    grains: { file: 'grains.yaml', directory: join(rootfs, 'usr/lib/grains'), refreshSeconds: 300 },
    boot: { idFile: bootId, slotFile: slot },
    update: {
      product: 'harbour-meter',
      platform: 'hm-gateway-1',
      keys: ['firmware.pub'],
      destination: disk,
      task: 'upgrade',
      slot: { backend: 'uboot', ...environment },
      reboot: { command: [reboot], timeoutSeconds: 30 },
      health: { checks: [check('integrity'), check('meter')], soakSeconds: 1, connectTimeoutSeconds: 40 },
      watchdog: { file: watchdog, intervalMs: 500 },
    },
    link: { keepaliveSeconds: 30, backoff: { firstMinMs: 50, firstMaxMs: 500, factor: 2, maxMs: 2000 } },
  };
}
