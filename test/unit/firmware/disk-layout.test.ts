import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDiskLayout } from '../../../src/cli/render/disk-layout.ts';
import { diskSvg } from '../../../src/cli/render/disk-svg.ts';
import { parseConfig } from '../../../src/firmware/config/parse.ts';
import type { Section } from '../../../src/firmware/config/section.ts';
import { toByteString } from '../../../src/firmware/config/source-text.ts';
import { VariableSet } from '../../../src/firmware/config/variable.ts';
import { diffFirmware } from '../../../src/firmware/diff/firmware-diff.ts';
import { diskLayout, type DiskLayout } from '../../../src/firmware/layout/disk-layout.ts';
import { diskModel } from '../../../src/firmware/layout/disk-model.ts';
import type { ResourceSizes } from '../../../src/firmware/layout/effect.ts';
import { lintSource } from '../../../src/firmware/lint/lint.ts';
import { displayWidth } from '../../../src/cli/printable.ts';
import { soundConfig, spoiled } from '../../support/firmware-config.ts';

/** Parsed only: nothing is checked, so that the layout meets what no build would let through. */
function parse(text: string): Section {
  return parseConfig(
    { name: 'fwup.conf', directory: '/', text: toByteString(text), origin: 'file' },
    {
      variables: new VariableSet(),
      include: (_path, place) => ({ ...place.source, text: '' }),
      unknown: () => undefined,
    },
  );
}

function layoutOf(text: string, sizes: ResourceSizes = new Map()): DiskLayout {
  return diskLayout(diskModel(parse(text), sizes));
}

describe('the layout of a disk', () => {
  it('knows regions, slots, the switch and what each task writes where', () => {
    const layout = layoutOf(soundConfig, new Map([['rootfs.img', { bytes: 1000 }]]));
    expect(layout.endBlock).toBe(4608);
    expect(layout.regions.map(({ id, name, slots, holdsData }) => [id, name, slots?.[0] ?? (holdsData ? 'data' : '')])).toEqual([
      [1, 'mbr table mbr', ''],
      [2, 'env', ''],
      [3, 'env (second copy)', ''],
      [4, 'partition 0', ''],
      [5, 'partition 1', 'a'],
      [6, 'partition 2', 'b'],
      [7, 'partition 3', 'data'],
    ]); // prettier-ignore
    expect(layout.switches).toEqual([{ kind: 'variable', what: 'slot in env', tellsSlots: true }]);
    expect(layout.slots).toEqual([
      { name: 'a', value: 'a', regions: [5], tasks: ['upgrade.a'] },
      { name: 'b', value: 'b', regions: [6], tasks: ['upgrade.b'] },
    ]);
    const upgrade = layout.tasks.find(({ name }) => name === 'upgrade.b');
    expect(upgrade).toMatchObject({ kind: 'upgrade', runsFrom: 'a', writesSlot: 'b' });
    expect(upgrade?.writes.find(({ effect }) => effect === 'data')).toMatchObject({
      action: 'raw_write(3072)',
      resource: 'rootfs.img',
      places: [{ firstBlock: 3072, blockCount: 2, region: 6 }],
    });
    expect(layout.tasks.map(({ kind }) => kind)).toEqual(['install', 'upgrade', 'upgrade', 'refusal']);
    expect(layout.overlaps).toEqual([]);
  });

  it('takes the order of the file-resources, not of the on-resource sections, for the order of writes', () => {
    const swapped = spoiled(
      soundConfig,
      ['on-resource boot.img { raw_write(1024) }\n', ''],
      ['on-resource rootfs.img { raw_write(2048) }', 'on-resource rootfs.img { raw_write(2048) }\n    on-resource boot.img { raw_write(1024) }'],
    ); // prettier-ignore
    const resources = layoutOf(swapped).tasks[0]?.writes.flatMap(({ resource }) => resource ?? []);
    expect(resources).toEqual(['boot.img', 'rootfs.img']);
  });

  it('recognises slots by partition tables and by files on a FAT', () => {
    const byTable = layoutOf(`
      file-resource r { contents = "x" }
      mbr mbr-a { partition 0 { block-offset = 256 block-count = 256 type = 0x83 } }
      mbr mbr-b { partition 0 { block-offset = 512 block-count = 256 type = 0x83 } }
      task upgrade.a { require-partition-offset(0, 512) on-resource r { raw_write(256) } on-finish { mbr_write(mbr-a) } }
      task upgrade.b { require-partition-offset(0, 256) on-resource r { raw_write(512) } on-finish { mbr_write(mbr-b) } }`);
    expect(byTable.tasks.map(({ runsFrom, writesSlot }) => [runsFrom, writesSlot])).toEqual([['b', 'a'], ['a', 'b']]); // prettier-ignore
    expect(byTable.regions.map(({ name, slots }) => [name, slots])).toEqual([
      ['mbr table mbr-a, mbr-b', undefined],
      ['partition 0 of mbr-a', ['a']],
      ['partition 0 of mbr-b', ['b']],
    ]);
    const byFile = layoutOf(`
      file-resource r { contents = "x" }
      task upgrade.a { require-fat-file-match(64, "slot.txt", "b") on-resource r { raw_write(1024) } on-finish { fat_cp(64, "a.txt", "SLOT.TXT") } }
      task upgrade.b { require-fat-file-match(64, "slot.txt", "a") on-resource r { raw_write(2048) } on-finish { fat_cp(64, "b.txt", "/slot.txt") } }`);
    expect(byFile.switches).toEqual([{ kind: 'file', what: 'slot.txt on the FAT at block 64', tellsSlots: true }]);
    expect(byFile.tasks.map(({ runsFrom, writesSlot }) => [runsFrom, writesSlot])).toEqual([['b', 'a'], ['a', 'b']]); // prettier-ignore
  });

  it('marks regions and writes that overlap, and writes that leave their partition', () => {
    const layout = layoutOf(
      `mbr m { partition 0 { block-offset = 100 block-count = 100 type = 1 } partition 1 { block-offset = 200 block-count = 10 type = 1 } }
       uboot-environment env { block-offset = 190 block-count = 16 }
       task complete { on-init { raw_memset(150, 1, 0) fat_mkfs(100, 105) } on-finish { raw_memset(100, 8, 0) } }`,
    );
    expect(layout.overlaps.map(({ kind, first, second, firstBlock, blockCount }) => [kind, first, second, firstBlock, blockCount])).toEqual([
      ['regions', 'partition 0', 'env', 190, 10],
      ['regions', 'env', 'partition 1', 200, 6],
      ['writes', 'fat_mkfs(100, 105)', 'raw_memset(100, 8, 0)', 100, 8],
      ['writes', 'fat_mkfs(100, 105)', 'partition 1', 200, 5],
    ]); // prettier-ignore
  });

  it('shows what leaves the disk: commands and files of the machine', () => {
    const shown = formatDiskLayout(layoutOf('task t { on-init { execute("reboot") } }'));
    expect(shown).toBe('nothing has a place on the disk\n\ntask t\n  on-init  execute(reboot)\n');
  });

  it('does not show the key of a cipher', () => {
    const text =
      'file-resource r { contents = "x" }\ntask t { on-resource r { raw_write(1, "cipher=c,secret=00ff") } }';
    const shown = JSON.stringify(layoutOf(text)) + formatDiskLayout(layoutOf(text));
    expect(shown).toContain('secret=***');
    expect(shown).not.toContain('00ff');
  });
});

// ---- whatever parses

const word = fc.constantFrom('a', 'b', 'env', 'mbr', 'r1', 'r2', '"a b"', '"\\\\x"', '"ü<&>"', '""', "'${X}'");
const number = fc.oneof(
  fc.constantFrom('0', '1', '33', '255', '256', '2147483647', '0x10', '9007199254740993', '-5', '""'),
  fc.nat(5000).map(String),
);
const argument = fc.oneof(word, number);
const callName = fc.constantFrom('raw_write', 'raw_memset', 'trim', 'fat_mkfs', 'fat_write', 'fat_cp', 'fat_mv', 'fat_mv!', 'fat_rm', 'fat_mkdir', 'fat_touch', 'fat_attrib', 'fat_setlabel', 'mbr_write', 'gpt_write', 'uboot_clearenv', 'uboot_recover', 'uboot_setenv', 'uboot_unsetenv', 'path_write', 'execute', 'reboot_param', 'error', 'info', 'no_such_action'); // prettier-ignore
const requirement = fc.constantFrom('require-uboot-variable', 'require-partition-offset', 'require-fat-file-match', 'require-fat-file-exists', 'require-path-at-offset', 'require-execute', 'require-what'); // prettier-ignore
const call = (name: fc.Arbitrary<string>) =>
  fc.tuple(name, fc.array(argument, { maxLength: 5 })).map(([title, args]) => `${title}(${args.join(', ')})`);
const body = (item: fc.Arbitrary<string>, max = 4) =>
  fc.array(item, { maxLength: max }).map((items) => items.join('\n'));
const partition = (type: fc.Arbitrary<string>) =>
  fc
    .tuple(fc.nat(6), number, fc.nat(5000), type, fc.boolean())
    .map(([index, offset, count, kind, grows]) => `partition ${index} { block-offset = ${offset} block-count = ${count} type = ${kind} expand = ${grows} }`); // prettier-ignore
const task = fc
  .tuple(fc.constantFrom('complete', 'upgrade', 'upgrade.a', 'upgrade.b', 'reset', '""'), body(call(requirement), 3), body(call(callName)), body(fc.tuple(word, body(call(callName), 3)).map(([title, calls]) => `on-resource ${title} { ${calls} }`), 2), body(call(callName))) // prettier-ignore
  .map(([title, requirements, init, resources, finish]) => `task ${title} { ${requirements} on-init { ${init} } ${resources} on-finish { ${finish} } on-error { ${init} } }`); // prettier-ignore
const section = fc.oneof(
  task,
  word.map((title) => `file-resource ${title} { contents = "x" assert-size-lte = 3 }`),
  fc.tuple(word, body(partition(fc.nat(16).map(String)))).map(([title, inside]) => `mbr ${title} { ${inside} }`),
  fc.tuple(word, body(partition(word))).map(([title, inside]) => `gpt ${title} { ${inside} }`),
  fc.tuple(word, number, number, fc.nat(70_000)).map(([title, first, second, count]) => `uboot-environment ${title} { block-offset = ${first} block-offset-redund = ${second} block-count = ${count} }`), // prettier-ignore
);
const configuration = fc.array(section, { maxLength: 8 }).map((sections) => sections.join('\n'));
const sizes = fc.dictionary(fc.constantFrom('a', 'r1', 'r2'), fc.nat(1e7)).map((record) => new Map(Object.entries(record).map(([name, bytes]) => [name, { bytes }]))); // prettier-ignore

function parsed(text: string): Section | undefined {
  try {
    return parse(text);
  } catch {
    return undefined; // duplicate titles, numbers out of range: not for us
  }
}

describe('any configuration that parses', () => {
  it('has a layout, findings and a diff, and both drawings keep their bounds', () => {
    let drawn = 0;
    fc.assert(
      fc.property(
        configuration,
        configuration,
        sizes,
        fc.integer({ min: 40, max: 160 }),
        (text, other, known, width) => {
          const [root, second] = [parsed(text), parsed(other)];
          if (!root) return;
          drawn += 1;
          const source = { path: 'fwup.conf', root, sizes: known, unknown: [], warnings: [] };
          const layout = diskLayout(diskModel(root, known));
          for (const { firstBlock, blockCount = 1 } of layout.regions) expect(firstBlock + blockCount).toBeLessThanOrEqual(layout.endBlock); // prettier-ignore
          expect(lintSource(source, { diskBlocks: 100 }).every(({ position }) => position.line >= 1)).toBe(true);
          if (second) diffFirmware(source, { ...source, root: second });
          const bar = formatDiskLayout(layout, { width }).split('\n').slice(0, 3);
          if (layout.regions.length > 0 && layout.regions.length <= 6) {
            expect(new Set(bar.map(displayWidth)).size).toBe(1);
            expect(displayWidth(bar[0] ?? '')).toBeLessThanOrEqual(Math.max(width, 50));
          }
          expect(diskSvg(layout, text)).toMatch(/^<\?xml[^]*<\/svg>\n$/);
        },
      ),
      { numRuns: 400 },
    );
    expect(drawn).toBeGreaterThan(100);
  });
});

describe('the drawing', () => {
  const layout = layoutOf(soundConfig, new Map([['rootfs.img', { bytes: 400_000 }], ['boot.img', { bytes: 4 }]])); // prettier-ignore

  it.each([80, 120])('fits into %i columns, with and without colour', (width) => {
    const plain = formatDiskLayout(layout, { width });
    expect(Math.max(...plain.split('\n').slice(0, 20).map(displayWidth))).toBeLessThanOrEqual(width);
    const painted = formatDiskLayout(layout, { width, color: true });
    // eslint-disable-next-line no-control-regex
    expect(painted.replace(/\u001b\[\d+m/g, '').split('\n').slice(0, 6)).toEqual(plain.split('\n').slice(0, 6).map((line) => expect.stringContaining(line.trimEnd()))); // prettier-ignore
  });

  it('is the one that is known to be right', () => {
    expect(formatDiskLayout(layout, { width: 80 }).split('\n').slice(0, 10)).toMatchInlineSnapshot(`
      [
        "          ┌──┬─┬────┬─┬───┬─┬────────┬─┬─────────────┬──────────────┬──────────┐",
        "          │1 │·│ 2  │·│ 3 │·│   4    │·│  5 slot a   │   6 slot b   │    7     │",
        "          └──┴─┴────┴─┴───┴─┴────────┴─┴─────────────┴──────────────┴──────────┘",
        "complete   ◆◆   ◆◆◆◆   ◆◆◆   █          █████████                    ░░░░",
        "upgrade.a       ◆◆◆◆   ◆◆◆              █████████",
        "upgrade.b       ◆◆◆◆   ◆◆◆                            ██████████",
        "          0 B  128 KiB    264 KiB    640 KiB         1.5 MiB             2.3 MiB",
        "░ filled   ◆ environment   ◆ partition table   █ data",
        "order and borders are true, lengths are not",
        "slots a, b: chosen by slot in env",
      ]
    `);
  });

  it('escapes what a bundle says in the SVG', () => {
    const svg = diskSvg(layout, '<script>alert("x")</script>\u0007 & \ud800');
    expect(svg).not.toContain('<script');
    expect(svg).toContain('&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;\ufffd &amp; \ufffd');
  });
});
