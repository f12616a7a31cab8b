/** A stick, a device, and the history of its coordinator; the device's boot loader reads a file. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { buildSlotBundle, fileSlotDevice, type FileSlotDevice } from '../support/file-slot-device.ts';
import { createFleet, type TestAgent, type TestFleet } from '../support/fleet.ts';

let fleet: TestFleet;
let device: FileSlotDevice;
let agent: TestAgent;
let board: string;
const scratch = (...names: string[]) => join(fleet.scratch, ...names);

beforeAll(async () => {
  fleet = await createFleet();
  board = scratch('board');
  const publicKey = join(fleet.dir, 'keys', 'firmware.pub');
  device = await fileSlotDevice(board, publicKey);
  const update = `
update:
  product: file-meter
  platform: file-board
  keys: [${publicKey}]
  destination: ${join(board, 'disk')}
  slot: { backend: file, file: ${join(board, 'slots')} }
  reboot: { command: [${join(board, 'reboot.sh')}] }
  health: { soakSeconds: 0, connectTimeoutSeconds: 60 }
`;
  const idFile = 'idFile: /proc/sys/kernel/random/boot_id';
  const boot = `idFile: ${join(board, 'boot_id')}\n  slotFile: ${join(board, 'slot')}`;
  agent = await fleet.addAgent('d-1', { configure: (yaml) => yaml.replace(idFile, boot) + update });
  await fleet.connected('d-1');
});
afterAll(() => fleet?.[Symbol.asyncDispose]());

describe('a bundle that somebody brings to a device', () => {
  it('is installed as typed, proven, and in the history once, signed by the device', async () => {
    const config = ['--config', join(agent.dir, 'agent.yaml')];
    const signed = { privateKeyPath: join(fleet.dir, 'keys', 'firmware.priv') };
    const { path, image } = await buildSlotBundle(fleet.scratch, '2.0.0', signed);
    const before = await readFile(join(board, 'boot_id'), 'utf8');
    const installed = await fleet.cli(['agent', 'install', path, ...config]);
    expect(installed.exitCode, installed.stdout + installed.stderr).toBe(0);
    expect(installed.stdout).toMatch(/^2\.0\.0 offered\n(.*\n)*2\.0\.0 rebooting\nthe machine restarts/);
    await eventually('it has restarted', async () => (await readFile(join(board, 'boot_id'), 'utf8')) !== before);
    await agent.kill(); // with the machine
    await agent.restart();
    const history = async () => JSON.parse((await fleet.cli(['device', 'history', 'd-1', '--json'])).stdout) as any[];
    await eventually('the coordinator has the signed end of it', async () => (await history())[0]?.receipt);
    expect((await device.slot('b')).equals(image)).toBe(true);
    expect(await history()).toMatchObject([
      {
        source: 'file',
        state: 'committed',
        version: '2.0.0',
        fromVersion: '1.0.0',
        evidence: { before: { slot: 'a' }, after: { slot: 'b' }, slotDigestMatches: true, coordinatorReached: true },
        receipt: { by: 'link' },
      },
    ]);
    const shown = await fleet.cli(['device', 'history', 'd-1']);
    expect(shown.stdout).toMatch(/committed +1\.0\.0 +2\.0\.0 +a → b .*file, signed/);

    // The same by hand: known. Altered by hand: refused.
    const out = scratch('receipts.json');
    expect((await fleet.cli(['agent', 'receipt', '--out', out, ...config])).exitCode).toBe(0);
    const carried = await fleet.cli(['device', 'receipt', out]);
    expect(carried).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^known +d-1 f-[0-9a-f]{10}: committed/),
    });
    await writeFile(out, (await readFile(out, 'utf8')).replace('2.0.0', '2.0.1'));
    const altered = await fleet.cli(['device', 'receipt', out]);
    expect(altered.exitCode).toBe(6);
    expect(altered.stderr).toContain('not what the device has signed');
    expect(await history()).toHaveLength(1);
  });

  it('is refused with the reason, and changes nothing', async () => {
    const config = ['--config', join(agent.dir, 'agent.yaml')];
    const { path } = await buildSlotBundle(fleet.scratch, '3.0.0', {});
    const unsigned = await fleet.cli(['agent', 'update', 'install', path, ...config]);
    expect(unsigned.exitCode, unsigned.stdout + unsigned.stderr).toBe(6);
    expect(unsigned.stdout).toContain('3.0.0 rejected: bundle-untrusted');
    const missing = await fleet.cli(['agent', 'install', scratch('nothing.fw'), ...config]);
    expect(missing.exitCode).toBe(2);
    expect((await fleet.cli(['agent', 'install', path, '--dry-run', ...config])).exitCode).toBe(2);
    expect(await device.slots.read()).toMatchObject({ active: 'b', pending: false });
  });
});
