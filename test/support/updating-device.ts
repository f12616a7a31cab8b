/** A device whose only program is the updater: a disk with two slots, a boot loader, and a process that is killed. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { decideBoot } from '../../src/board/boot-decision.ts';
import { createDeviceLog, openDeviceDatabase, parseJsonRow } from '../../src/eventlog/index.ts';
import {
  applyBundle,
  inspectBundle,
  readPublicKey,
  readUbootEnvironment,
  writeUbootEnvironment,
} from '../../src/firmware/index.ts';
import type { UpdateEvent } from '../../src/protocol/event.ts';
import type { UpdateOffer } from '../../src/protocol/request.ts';
import type { UpdateProcessOption } from './update-process.ts';

const layout = { blockOffset: 1024, blockCount: 16, blockOffsetRedund: 1280 };
const partBytes = 262_144;

/** What the process said just now. Return `agent` to kill it alone, `power` to cut the power of the whole device. */
export type Sabotage = (said: {
  fetch?: number;
  isDelta?: boolean;
  state?: string;
  msg?: string;
}) => 'agent' | 'power' | undefined | Promise<'agent' | 'power' | undefined>;

export interface UpdatingDevice {
  disk: string;
  /** Runs until no update is under way; returns how often the machine booted and the agent was started. */
  run(offer: UpdateOffer, sabotage?: Sabotage): Promise<{ boots: number; starts: number }>;
  events(): UpdateEvent[];
  environment(): Promise<Map<string, string>>;
  slotBytes(slot: 'a' | 'b', length: number): Promise<Buffer>;
  configure(
    change: Partial<UpdateProcessOption['policy']> & {
      bundle?: string;
      delta?: { path: string; sha256: string };
      partDelayMs?: number;
      linked?: (slot: string) => boolean;
      rules?: UpdateProcessOption['rules'];
    },
  ): void;
}

export async function updatingDevice(
  dir: string,
  option: { bundle: string; publicKeyPath: string },
): Promise<UpdatingDevice> {
  await mkdir(join(dir, 'state'), { recursive: true });
  const key = await readPublicKey(option.publicKeyPath);
  const disk = join(dir, 'disk.img');
  await applyBundle({ path: option.bundle, destinationPath: disk, task: 'complete', publicKeys: [key] });
  const rebootWish = join(dir, 'reboot');
  const at = { idFile: join(dir, 'boot_id'), slotFile: join(dir, 'slot'), directory: join(dir, 'state') };
  let linked = (_slot: string): boolean => true;
  let processOption: Omit<UpdateProcessOption, 'offer' | 'linked'> = {
    ...at,
    disk,
    bundle: option.bundle,
    partDelayMs: 5,
    publicKeys: [key.toString('base64')],
    policy: {
      product: 'harbour-meter',
      platform: 'hm-gateway-1',
      destination: disk,
      task: 'upgrade',
      activeVariable: 'active_slot',
      reboot: { command: ['sh', '-c', `touch ${rebootWish}; kill -KILL $PPID`], timeoutSeconds: 20 },
      health: {
        checks: [{ name: 'fine', command: ['true'], timeoutMs: 5_000 }],
        soakSeconds: 0,
        connectTimeoutSeconds: 2,
      },
    },
  };

  const boot = async () => {
    const environment = await readUbootEnvironment(disk, layout);
    const { slot, changes } = decideBoot(environment, ['a', 'b']);
    if (Object.keys(changes).length > 0) await writeUbootEnvironment(disk, layout, changes);
    await writeFile(at.idFile, `${randomUUID()}\n`);
    await writeFile(at.slotFile, `${slot}\n`);
    await rm(rebootWish, { force: true });
  };
  await boot();

  const runProcess = async (offer: UpdateOffer, sabotage: Sabotage) => {
    const slot = (await readFile(at.slotFile, 'utf8')).trim();
    const file = join(dir, 'process.json');
    await writeFile(
      file,
      JSON.stringify({ ...processOption, offer, linked: linked(slot) } satisfies UpdateProcessOption),
    );
    const child = execa(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'update-process.ts'), file],
      {
        reject: false,
        stdin: 'ignore',
        stderr: 'inherit',
        buffer: false,
      },
    );
    let wish: 'agent' | 'power' | undefined;
    for await (const line of createInterface({ input: child.stdout })) {
      if (wish !== undefined) continue;
      wish = await sabotage(JSON.parse(line) as Record<string, string>);
      if (wish !== undefined) child.kill('SIGKILL');
    }
    return { wish, ...(await child) };
  };

  return {
    disk,
    async run(offer, sabotage = () => undefined) {
      let boots = 0;
      for (let starts = 1; starts < 30; starts++) {
        const { wish, exitCode, signal } = await runProcess(offer, sabotage);
        const wantsReboot = await readFile(rebootWish).then(
          () => true,
          () => false,
        );
        if (wantsReboot || wish === 'power') {
          boots += 1;
          await boot();
        } else if (exitCode === 0) return { boots, starts };
        else if (wish === undefined) throw new Error(`the updater ended with ${exitCode ?? signal}`);
      }
      throw new Error('no end after 30 starts');
    },
    events() {
      const database = openDeviceDatabase(join(at.directory, 'agent.db'));
      const { rows } = createDeviceLog(database).read(0, 0, 10_000, 1 << 30);
      database.close();
      return rows.filter(({ type }) => type === 'flotilla.update').map((row) => parseJsonRow(row) as UpdateEvent);
    },
    environment: () => readUbootEnvironment(disk, layout),
    async slotBytes(slot, length) {
      const start = (slot === 'a' ? 4096 : 20_480) * 512;
      return (await readFile(disk)).subarray(start, start + length);
    },
    configure({ bundle, delta, partDelayMs, linked: isLinked, rules, ...policy }) {
      if (isLinked) linked = isLinked;
      processOption = {
        ...processOption,
        ...(bundle === undefined ? {} : { bundle }),
        ...(delta === undefined ? {} : { delta }),
        ...(rules === undefined ? {} : { rules }),
        ...(partDelayMs === undefined ? {} : { partDelayMs }),
        policy: { ...processOption.policy, ...policy },
      };
    },
  };
}

/** The offer of a bundle, as a coordinator makes it. */
export async function offerOf(
  path: string,
  rolloutId: string,
  change: Partial<UpdateOffer['bundle']> = {},
): Promise<UpdateOffer> {
  const { product, version, platform, uuid, sha256, fileBytes } = await inspectBundle(path);
  const bytes = await readFile(path);
  const partSha256: string[] = [];
  for (let at = 0; at < bytes.length; at += partBytes) {
    partSha256.push(
      createHash('sha256')
        .update(bytes.subarray(at, at + partBytes))
        .digest('hex'),
    );
  }
  return {
    rolloutId,
    bundle: {
      product,
      version,
      platform,
      bundleUuid: uuid,
      sizeBytes: fileBytes,
      sha256,
      partBytes,
      partSha256,
      ...change,
    },
    expiresAtMs: Date.now() + 600_000,
  };
}
