/** Real board processes and disks; what runs on them here is a shell script, because the slot names what runs. */
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import type { VirtualBoard } from '../../../src/board/index.ts';
import { readLoader, writeEnvironment } from '../../../src/board/boot-medium.ts';
import { boardMark, markedPids } from '../../../src/board/marked-process.ts';
import { applyBundle, readPublicKey } from '../../../src/firmware/index.ts';
import { eventually } from '../../support/eventually.ts';
import { productBuilder } from '../../support/product.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const script = (argv: string[]) =>
  JSON.stringify({ agent: { argv }, respawn: { firstDelaySeconds: 0.05, maxDelaySeconds: 0.2 } });
/** Feeds the watchdog; keeps a child in a session of its own. */
const steady = {
  'etc/board.yaml': script(['sh', '/usr/lib/agent.sh']),
  'usr/lib/agent.sh': 'setsid sleep 600 &\nwhile :; do touch "$FLOTILLA_BOARD_DIR/run/watchdog"; sleep 0.05; done\n',
};
/** As `steady`, and it does not end when it is asked to. */
const stubborn = { ...steady, 'usr/lib/agent.sh': `trap '' TERM\n${steady['usr/lib/agent.sh']}` };
const silent = { 'etc/board.yaml': script(['sh', '-c', 'exec sleep 600']) };
const absent = { 'etc/board.yaml': script(['/usr/bin/agent-that-is-not-there']) };

const hardware = { watchdogMs: 1500, firstTouchMs: 2500 };

const seen = (board: VirtualBoard, event: string, count = 1) =>
  eventually(`${count} times ${event} in the board's log`, async () => {
    const records = (await board.readLog()).filter((record) => record.event === event);
    return records.length >= count && records;
  });
const boots = async (board: VirtualBoard) =>
  (await board.readLog()).flatMap((record) => (record.event === 'boot' ? [record] : []));

async function install(board: VirtualBoard, bundle: string, keyPath: string): Promise<void> {
  const publicKeys = [await readPublicKey(keyPath)];
  await applyBundle({ path: bundle, destinationPath: board.path.disk, task: 'upgrade', publicKeys });
}

describe('a virtual board', () => {
  it('boots the slot that its disk names, extracts it, starts its agent, and loses all of it at power off', async () => {
    await using scratch = await temporaryDirectory();
    const product = await productBuilder(scratch.path);
    await using board = await product.board('hm-1', await product.build('1.0.0', steady), hardware);
    await board.powerOn();
    await seen(board, 'agent-start');
    const [boot] = await boots(board);
    expect(boot).toMatchObject({ slot: 'a', bootCount: 0, version: '1.0.0', why: 'power-on' });
    expect((await readFile(board.path.bootId, 'utf8')).trim()).toBe(boot!.bootId);
    expect(await readFile(join(board.path.rootfs, 'etc/os-release'), 'utf8')).toContain('VERSION_ID=1.0.0');
    await eventually(
      'the board, the agent and its two children run',
      async () => (await markedPids(boardMark(board.dir))).length >= 4,
    );

    await board.powerOff();
    expect(await markedPids(boardMark(board.dir))).toEqual([]);
    await board.powerOn();
    await seen(board, 'agent-start', 2);
    const again = await boots(board);
    expect(again).toHaveLength(2);
    expect(again[1]!.bootId).not.toBe(boot!.bootId);
  });

  it('starts a dead agent again within the same boot', async () => {
    await using scratch = await temporaryDirectory();
    const product = await productBuilder(scratch.path);
    await using board = await product.board('hm-1', await product.build('1.0.0', steady), hardware);
    await board.powerOn();
    await seen(board, 'agent-start');
    await board.signalAgent('SIGKILL');
    const starts = await seen(board, 'agent-start', 2);
    expect(new Set(starts.map(({ bootId }) => bootId)).size).toBe(1);
    expect((await seen(board, 'agent-exit'))[0]).toMatchObject({ signal: 'SIGKILL' });
    expect(await boots(board)).toHaveLength(1);
  });

  it('resets once for the reboot command, with another boot id, and runs nothing of the former boot', async () => {
    await using scratch = await temporaryDirectory();
    const product = await productBuilder(scratch.path);
    await using board = await product.board('hm-1', await product.build('1.0.0', stubborn), hardware);
    await board.powerOn();
    await seen(board, 'agent-start');
    const before = await board.agentPid();
    await execa(board.path.reboot);
    await seen(board, 'reboot');
    await execa(board.path.reboot); // the agent that does not want to end holds the first one up
    await seen(board, 'agent-start', 2);
    const [first, second, third] = await boots(board);
    expect(second).toMatchObject({ slot: 'a', why: 'reboot' });
    expect(second!.bootId).not.toBe(first!.bootId);
    expect(third).toBeUndefined();
    expect(await seen(board, 'reboot')).toHaveLength(1);
    expect(await markedPids(boardMark(board.dir))).not.toContain(before);
  });

  it('resets when the watchdog is not fed, also when the agent hangs', async () => {
    await using scratch = await temporaryDirectory();
    const product = await productBuilder(scratch.path);
    await using board = await product.board('hm-1', await product.build('1.0.0', steady), hardware);
    await board.powerOn();
    await eventually('the agent has fed the watchdog', async () => {
      const starts = await boots(board);
      return starts.length === 1 && (await markedPids(boardMark(board.dir))).length >= 4;
    });
    await board.signalAgent('SIGSTOP');
    const [reset] = await seen(board, 'watchdog-reset');
    expect(reset).toMatchObject({ event: 'watchdog-reset' });
    await seen(board, 'agent-start', 2);
    expect((await boots(board))[1]).toMatchObject({ why: 'watchdog', slot: 'a' });
  });

  it.each([
    ['never starts', absent],
    ['never feeds the watchdog', silent],
  ])('falls back by its boot count to the slot before when the new agent %s', async (_, changes) => {
    await using scratch = await temporaryDirectory();
    const product = await productBuilder(scratch.path);
    await using board = await product.board('hm-1', await product.build('1.0.0', steady), {
      watchdogMs: 600,
      firstTouchMs: 600,
    });
    await install(board, await product.build('2.0.0', changes), product.publicKeyPath);
    expect(Object.fromEntries(await board.readEnvironment())).toMatchObject({
      active_slot: 'b',
      upgrade_available: '1',
    });
    await board.powerOn();
    const [fallback] = await seen(board, 'fallback');
    expect(fallback).toMatchObject({ from: 'b', to: 'a' });
    await eventually('the old slot runs', async () => (await boots(board)).at(-1)?.slot === 'a');
    expect((await boots(board)).map(({ slot, bootCount, version }) => [slot, bootCount, version])).toEqual([
      ['b', 1, '2.0.0'],
      ['b', 2, '2.0.0'],
      ['a', 0, '1.0.0'],
    ]);
    // The boot loader's word on the disk, as U-Boot's own tool reads it.
    const config = join(scratch.path, 'fw_env.config');
    await writeFile(config, `${board.path.disk} ${1024 * 512} 0x2000\n${board.path.disk} ${1280 * 512} 0x2000\n`);
    const printed = await execa('fw_printenv', ['-c', config, 'active_slot', 'upgrade_available'], { reject: false });
    if (printed.exitCode !== undefined) expect(printed.stdout).toBe('active_slot=a\nupgrade_available=0');
  });

  it('goes on without an environment in the first slot, and panics over a slot that is no rootfs', async () => {
    await using scratch = await temporaryDirectory();
    const product = await productBuilder(scratch.path);
    await using board = await product.board('hm-1', await product.build('1.0.0', steady), hardware);
    // An empty slot on trial: the count of boots leads out of it.
    await writeEnvironment(board.path.disk, await readLoader(board.path.disk), {
      active_slot: 'b',
      upgrade_available: '1',
    });
    await board.powerOn();
    await seen(board, 'panic', 2);
    await seen(board, 'fallback');
    await seen(board, 'agent-start');
    await board.powerOff();

    const disk = await readFile(board.path.disk);
    disk.fill(0xff, 1024 * 512, 1040 * 512);
    disk.fill(0xff, 1280 * 512, 1296 * 512);
    await writeFile(board.path.disk, disk);
    await board.powerOn();
    await seen(board, 'environment-lost');
    await seen(board, 'agent-start', 2);
    expect((await boots(board)).at(-1)).toMatchObject({ slot: 'a' });
  });

  it('loses power while a chosen place of its disk is written, by nothing else', async () => {
    await using scratch = await temporaryDirectory();
    const product = await productBuilder(scratch.path);
    await using board = await product.board('hm-1', await product.build('1.0.0', steady), hardware);
    await board.powerOn();
    await seen(board, 'agent-start');
    const place = 20_480 * 512;
    const started = performance.now();
    let off = false;
    const cut = board.cutPowerWhenWritten(place).then(() => (off = true));
    await using disk = await open(board.path.disk, 'r+');
    await eventually('the rig watches: what is written elsewhere does nothing', async () => {
      await disk.write(Buffer.from('elsewhere'), 0, 9, place + 4096);
      return performance.now() > started + 1000;
    });
    expect([off, (await markedPids(boardMark(board.dir))).length > 0]).toEqual([false, true]);
    await disk.write(Buffer.from('here'), 0, 4, place);
    await cut;
    expect(await markedPids(boardMark(board.dir))).toEqual([]);
    expect(await boots(board)).toHaveLength(1);
  });

  it('loses power when the process that holds the switch ends', async () => {
    await using scratch = await temporaryDirectory();
    const product = await productBuilder(scratch.path);
    await using board = await product.board('hm-1', await product.build('1.0.0', steady), hardware);
    const holder = execa(
      process.execPath,
      [
        '-e',
        `import(${JSON.stringify(join(import.meta.dirname, '../../../src/board/power-switch.ts'))}).then((m) => m.switchOn(${JSON.stringify(board.dir)})); setInterval(() => {}, 1000)`,
      ],
      { reject: false },
    );
    await seen(board, 'agent-start');
    holder.kill('SIGKILL');
    await holder;
    await eventually('nothing of the board runs', async () => (await markedPids(boardMark(board.dir))).length === 0);
  });
});
