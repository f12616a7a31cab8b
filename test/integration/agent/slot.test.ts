/** One contract for all boot loaders. The loaders are fakes of their documented output, but for GRUB's own grub-editenv. */
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { confirmBoot } from '../../../src/agent/slot/confirm-boot.ts';
import { createFileSlots } from '../../../src/agent/slot/file-slot.ts';
import { createScriptSlots } from '../../../src/agent/slot/script-slot.ts';
import { decideBoot } from '../../../src/board/boot-decision.ts';
import { packageRoot } from '../../../src/config/package-root.ts';
import { createLog } from '../../../src/log.ts';
import { slotBench, slotBenchKinds } from '../../support/slot-bench.ts';
import { hasTools } from '../../support/system-tool.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const news = { uuid: 'c4fdd982-e737-5bdd-a446-016438174a14', version: '2.0.0-rc.1+7', product: "Harbour's Meter" };
const logger = createLog({ name: 'agent', level: 'silent' });

describe.each(slotBenchKinds)('slots by %s', (kind) => {
  const runs = kind !== 'grub' || hasTools('slots by GRUB', 'grub-editenv');

  it.runIf(runs)('try a slot, keep it once it is good, and go back when it is not', async () => {
    await using dir = await temporaryDirectory();
    const { slots, names, tryNext, boot, stored } = await slotBench(kind, dir.path);
    const [a, b] = names;
    expect(await slots.read()).toMatchObject({ active: a, pending: false });

    // Tried and good: from then on it boots every time.
    await tryNext(b, news);
    const { product: _, ...known } = news;
    expect(await slots.read()).toMatchObject({ active: b, pending: true, slots: { [b]: known } });
    expect(await boot()).toBe(b);
    await slots.markGood(b);
    await slots.markGood(b);
    const proven = await slots.read();
    expect(proven).toMatchObject({ active: b, pending: false, bootCount: 0, slots: { [b]: known } });
    if (proven.running !== undefined) expect(proven.running).toBe(b);
    const before = await stored();
    await slots.activate(b);
    expect(await stored()).toBe(before);
    for (let times = 0; times < 5; times++) {
      expect(await boot()).toBe(b);
      await confirmBoot(slots, async () => ({ bootId: '', slot: b }), logger);
    }

    // Tried, and it never says that it is good: the loader goes back by itself.
    await tryNext(a, { uuid: news.uuid.replace('c4', 'd5') });
    const boots = [await boot()];
    expect(boots).toEqual([a]);
    while (boots.at(-1) !== b && boots.length < 6) boots.push(await boot());
    expect(boots.at(-1)).toBe(b);
    await slots.activate(b);
    expect(await slots.read()).toMatchObject({ active: b, pending: false });
    expect(await boot()).toBe(b);

    // Tried, judged, and sent back.
    await tryNext(a, news);
    expect(await boot()).toBe(a);
    await slots.activate(b);
    expect(await slots.read()).toMatchObject({ active: b, pending: false });
    expect([await boot(), await boot()]).toEqual([b, b]);

    // Set to boot next, and taken back before it did.
    await tryNext(a, news);
    await slots.activate(b);
    expect(await boot()).toBe(b);
  });
});

describe.each(['rauc', 'grub', 'efi'] as const)('a slot that %s does not know', (kind) => {
  it.runIf(kind !== 'grub' || hasTools('slots by GRUB', 'grub-editenv'))('is an explained error', async () => {
    await using dir = await temporaryDirectory();
    const { slots } = await slotBench(kind, dir.path);
    await expect(slots.activate('c')).rejects.toMatchObject({ code: 'slot-script-failed' });
    await expect(slots.tryNext!('c', news)).rejects.toMatchObject({ code: 'slot-script-failed' });
  });
});

describe('the file of the slots', () => {
  const option = {
    slots: ['a', 'b'],
    activeVariable: 'active_slot',
    pendingVariable: 'upgrade_available',
    bootcountVariable: 'bootcount',
    uuidVariablePrefix: '',
  };

  it('keeps what others wrote, and stays one line a value', async () => {
    await using dir = await temporaryDirectory();
    const file = join(dir.path, 'slots');
    await writeFile(file, 'serial=17\nactive_slot=a\n', { mode: 0o640 });
    await createFileSlots({ file, ...option }).tryNext!('b', { ...news, product: 'x\nactive_slot=a' });
    const text = await readFile(file, 'utf8');
    expect(text.split('\n')).toEqual(expect.arrayContaining(['serial=17', 'active_slot=b', 'upgrade_available=1']));
    expect(text.match(/^active_slot=/gm)).toHaveLength(1);
  });

  it('may be missing on a new board, and is refused when it is something else', async () => {
    await using dir = await temporaryDirectory();
    const file = join(dir.path, 'slots');
    const slots = createFileSlots({ file, ...option });
    expect(await slots.read()).toEqual({ active: 'a', pending: false, bootCount: 0, slots: { a: {}, b: {} } });
    await writeFile(file, 'hello\n');
    await expect(slots.read()).rejects.toMatchObject({ code: 'slot-file-invalid', detail: { position: { line: 1 } } });
    await writeFile(file, 'x=1\n'.repeat(20_000));
    await expect(slots.read()).rejects.toMatchObject({ code: 'slot-file-invalid' });
  });

  it('is counted by the boot script as U-Boot counts its variables', async () => {
    await using dir = await temporaryDirectory();
    const file = join(dir.path, 'slots');
    for (const text of [
      '',
      'active_slot=b\n',
      'active_slot=c\nupgrade_available=1\nbootlimit=2\n',
      'active_slot=b\nupgrade_available=1\nbootcount=x\nbootlimit=1\n',
      'active_slot=b\nupgrade_available=1\nbootcount=3\nbootlimit=3\nserial=17\n',
      'active_slot=a\nupgrade_available=1\nbootcount=1\nbootlimit=1\n',
    ]) {
      await writeFile(file, text);
      const variables = new Map(
        text.split('\n').flatMap((line): [string, string][] => {
          const [name, value] = line.split('=');
          return value === undefined ? [] : [[name!, value]];
        }),
      );
      const { slot, changes } = decideBoot(variables, ['a', 'b']);
      expect((await execa(join(packageRoot(), 'templates/slot/boot-file.sh'), [file])).stdout).toBe(slot);
      const after = (await readFile(file, 'utf8')).trim().split('\n').filter(Boolean).sort();
      const wanted = Object.entries({ ...Object.fromEntries(variables), ...changes });
      expect(after).toEqual(wanted.map(([name, value]) => `${name}=${value}`).sort());
    }
  });
});

describe('a slot script', () => {
  it.each([
    ['that fails', 'echo no environment here >&2; exit 3', 'slot-script-failed', /exit 3: no environment here/],
    ['that hangs', 'sleep 60', 'slot-script-failed', /no end within 1 s/],
    ['that never stops talking', 'while :; do echo slots=a,b; done', 'slot-script-failed', /no end within 1 s/],
    ['that says too much', 'head -c 20000 /dev/zero', 'slot-script-endless', /20000 bytes/],
    ['that says something else', 'echo fine', 'slot-script-invalid', /fine/],
    ['that is killed', 'kill -KILL $$', 'slot-script-failed', /ended by SIGKILL/],
  ])('%s is an explained error', async (_what, body, code, seen) => {
    await using dir = await temporaryDirectory();
    const path = join(dir.path, 'script');
    await writeFile(path, `#!/bin/sh\n${body}\n`);
    await chmod(path, 0o755);
    const slots = createScriptSlots({ command: [path], timeoutSeconds: 1 });
    await expect(slots.read()).rejects.toMatchObject({ code, detail: { seen: expect.stringMatching(seen) } });
  });

  it('that does not exist is an explained error', async () => {
    const slots = createScriptSlots({ command: ['/nonexistent/slots'], timeoutSeconds: 1 });
    await expect(slots.read()).rejects.toMatchObject({ code: 'slot-script-failed' });
  });
});
