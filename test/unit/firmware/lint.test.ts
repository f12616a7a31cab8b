import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildBundle, readFirmwareSource } from '../../../src/firmware/index.ts';
import { lintFirmware, lintSource, parseRules, rules, type LintFinding } from '../../../src/firmware/lint/lint.ts';
import { boardStarter, type FirmwareBoard } from '../../../src/provision/firmware-template.ts';
import { top } from '../../support/cli.ts';
import { soundConfig, spoiled } from '../../support/firmware-config.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

async function lint(config: string, diskBlocks?: number): Promise<LintFinding[]> {
  await using scratch = await temporaryDirectory();
  const path = join(scratch.path, 'fwup.conf');
  await writeFile(path, config);
  return await lintFirmware(path, diskBlocks === undefined ? {} : { diskBlocks }); // before the folder goes
}

const codesOf = (findings: readonly LintFinding[]) => [...new Set(findings.map(({ code }) => code))];
const finish = (slot: string) => `on-finish { uboot_setenv(env, "${slot}.version", "1") uboot_setenv(env, "slot", "${slot}") }`; // prettier-ignore

/** For each rule: what to change in the sound configuration, and the line (1-based) or task that must be named. */
const broken: Record<string, { changes: [string, string][]; task?: string; diskBlocks?: number; also?: string[] }> = {
  'regions-overlap': { changes: [['block-offset = 256 block-offset-redund', 'block-offset = 2040 block-offset-redund']], also: ['writes-overlap'] },
  'writes-overlap': { changes: [['on-resource boot.img { raw_write(1024) }', 'on-resource boot.img { raw_write(2048) }']], task: 'complete' },
  'resource-too-large': {
    changes: [['partition 2 { block-offset = 3072 block-count = 1024', 'partition 2 { block-offset = 3072 block-count = 1'], ['contents = "root"', `contents = "${'r'.repeat(600)}"`]],
    task: 'upgrade.b',
    also: ['resource-may-outgrow'],
  },
  'past-partition': { changes: [['raw_memset(4096, 256, 0)', 'raw_memset(4096, 513, 0)']], task: 'complete' },
  'past-disk-end': { changes: [], diskBlocks: 4607 },
  'resource-may-outgrow': { changes: [['contents = "root" assert-size-lte = 1024', 'contents = "root" assert-size-lte = 1025']] },
  'no-size-assertion': { changes: [['contents = "root" assert-size-lte = 1024', 'contents = "root"']] },
  'shares-segment': { changes: [['partition 0 { block-offset = 1024 block-count = 256', 'partition 0 { block-offset = 1024 block-count = 1020'], ['partition 1 { block-offset = 2048', 'partition 1 { block-offset = 2047'], ['require-partition-offset(1, 2048)', ''], ['raw_write(2048) }\n    on-finish { uboot_setenv(env, "slot", "a")', 'raw_write(2047) }\n    on-finish { uboot_setenv(env, "slot", "a")'], ['raw_write(2048)', 'raw_write(2047)'], ['block-count = 1024 type = 0x83 }\n    partition 2', 'block-count = 1025 type = 0x83 }\n    partition 2']] },
  'switch-before-data': { changes: [['info("a")', 'info("a") uboot_setenv(env, "slot", "a")'], [' uboot_setenv(env, "slot", "a") }\n}\ntask upgrade.b', ' }\n}\ntask upgrade.b']], task: 'upgrade.a', also: ['no-on-error'] },
  'switch-not-last': { changes: [[finish('a'), 'on-finish { uboot_setenv(env, "slot", "a") uboot_setenv(env, "a.version", "1") }']], task: 'upgrade.a' },
  'two-switches': {
    changes: [
      ['uboot-environment', 'mbr mbr-b { partition 0 { block-offset = 1024 block-count = 256 type = 0xda } partition 1 { block-offset = 3072 block-count = 1024 type = 0x83 } partition 2 { block-offset = 2048 block-count = 1024 type = 0x83 } partition 3 { block-offset = 4096 block-count = 512 type = 0x83 } }\nuboot-environment'],
      [finish('a'), 'on-finish { uboot_setenv(env, "slot", "a") mbr_write(mbr) }'],
      [finish('b'), 'on-finish { uboot_setenv(env, "slot", "b") mbr_write(mbr-b) }'],
    ],
    task: 'upgrade.a',
  },
  'table-in-upgrade': { changes: [['info("a")', 'info("a") mbr_write(mbr)']], task: 'upgrade.a', also: ['no-on-error'] },
  'environment-cleared': { changes: [['info("b")', 'uboot_clearenv(env)']], task: 'upgrade.b', also: ['no-on-error'] },
  'no-on-error': { changes: [['info("b")', 'uboot_clearenv(env)']], task: 'upgrade.b', also: ['environment-cleared'] },
  'writes-running-slot': { changes: [['raw_write(3072)', 'raw_write(2048)']], task: 'upgrade.b' },
  'writes-shared-place': { changes: [['on-resource rootfs.img { raw_write(3072) }', 'on-resource boot.img { raw_write(1024) }\n    on-resource rootfs.img { raw_write(3072) }']], task: 'upgrade.b' },
  'writes-data-partition': { changes: [['on-resource rootfs.img { raw_write(3072) }', 'on-resource boot.img { raw_write(4096) }\n    on-resource rootfs.img { raw_write(3072) }']], task: 'upgrade.b' },
  'switch-not-set': { changes: [['task upgrade.unexpected', 'task upgrade.c { require-uboot-variable(env, "slot", "a") require-partition-offset(0, 1024) on-resource boot.img { raw_write(3072) } }\ntask upgrade.unexpected']], task: 'upgrade.c' },
  'switch-not-initialised': { changes: [['on-finish { uboot_setenv(env, "slot", "a") }', 'on-finish { info("done") }']], task: 'complete' },
  'task-unreachable': { changes: [['require-uboot-variable(env, "slot", "b")', ''], ['require-partition-offset(1, 2048)', 'require-partition-offset(2, 3072)']], task: 'upgrade.b' },
  'contradictory-requirements': { changes: [['require-partition-offset(1, 2048)', 'require-uboot-variable(env, "slot", "c")']], task: 'upgrade.a', also: ['requirement-never-met'] },
  'upgrade-without-requirement': { changes: [['require-uboot-variable(env, "slot", "a")', ''], ['require-partition-offset(2, 3072)', '']], task: 'upgrade.b', also: ['task-unreachable'] },
  'requirement-never-met': { changes: [['require-partition-offset(2, 3072)', 'require-partition-offset(2, 3073)']], task: 'upgrade.b' },
  'needs-unsafe': { changes: [['info("b")', 'execute("sync")']], task: 'upgrade.b' },
  'task-missing': { changes: [['task complete {', 'task provision-all {']] },
  'resource-unused': { changes: [['file-resource boot.img', 'file-resource extra { contents = "x" }\nfile-resource boot.img']] },
  'resource-not-written': { changes: [['on-resource boot.img { raw_write(1024) }', 'on-resource boot.img { info("skipped") }']], task: 'complete' },
  'resource-taken-twice': { changes: [['on-resource boot.img { raw_write(1024) }', 'on-resource boot.img { raw_write(1024) raw_write(1100) }']], task: 'complete', also: ['resource-may-outgrow'] },
  'fat-directory-missing': { changes: [['raw_memset(4096, 256, 0)', 'fat_mkfs(4096, 512) fat_touch(4096, "etc/id")']], task: 'complete' },
  'secret-in-bundle': { changes: [['on-resource boot.img { raw_write(1024) }', 'on-resource boot.img { raw_write(1024, "cipher=aes-cbc-plain,secret=00ff") }']], task: 'complete' },
  'metadata-missing': { changes: [['meta-platform = "board-1"\n', '']] },
  'environment-not-redundant': { changes: [[' block-offset-redund = 512', '']] },
  'environment-copies-close': { changes: [['block-offset-redund = 512', 'block-offset-redund = 272']] },
}; // prettier-ignore

/** What is near a fault and is none. */
const harmless: Record<string, [string, string][]> = {
  'a note in the environment before the data': [['info("a")', 'uboot_setenv(env, "a.state", "writing")']],
  'a switch set at once where the disk is made': [['uboot_clearenv(env) raw', 'uboot_clearenv(env) uboot_setenv(env, "slot", "a") raw'], ['on-finish { uboot_setenv(env, "slot", "a") }', '']],
  'wiping before writing': [['on-init { mbr_write(mbr)', 'on-init { trim(0, 4608) raw_memset(2048, 1024, 0) mbr_write(mbr)']],
  'mending an environment': [['info("b")', 'uboot_recover(env)']],
  'a resource in two tasks at two places': [['on-resource boot.img { raw_write(1024) }', 'on-resource boot.img { raw_write(1024) }\n    on-error { error("x") }']],
  'a file system on the data partition, made once': [['raw_memset(4096, 256, 0)', 'fat_mkfs(4096, 512) fat_mkdir(4096, "etc") fat_touch(4096, "etc/id")']],
  'a data partition that grows': [['block-offset = 4096 block-count = 512 type = 0x83', 'block-offset = 4096 block-count = 512 type = 0x83 expand = true'], ['raw_memset(4096, 256, 0)', 'raw_memset(4096, 1024, 0)']],
  'a reset that wipes data when it is asked to': [['task upgrade.unexpected', 'task factory-reset { require-partition-offset(3, 4096) on-init { raw_memset(4096, 256, 0) } }\ntask upgrade.unexpected']],
  'a flag of one slot, cleared before it is written': [['info("a")', 'uboot_setenv(env, "a.validated", "0")'], ['info("b")', 'uboot_setenv(env, "b.validated", "0")'], ['require-partition-offset(1, 2048)', 'require-uboot-variable(env, "b.validated", "1")']],
  'an environment that comes as an image': [['uboot_clearenv(env)', ''], ['file-resource rootfs.img', 'file-resource env.bin { contents = "env" }\nfile-resource rootfs.img'], ['on-resource boot.img { raw_write(1024) }', 'on-resource env.bin { raw_write(256) }\n    on-resource boot.img { raw_write(1024) }']],
  'boot files by slot on one FAT that complete makes': [['on-init { mbr_write(mbr)', 'on-init { fat_mkfs(1024, 256) mbr_write(mbr)'], ['on-resource boot.img { raw_write(1024) }', 'on-resource boot.img { fat_write(1024, "kernel.a") }'], ['on-resource rootfs.img { raw_write(3072) }', 'on-resource boot.img { fat_write(1024, "kernel.b") }\n    on-resource rootfs.img { raw_write(3072) }']],
  'upgrades named with dashes': [['task upgrade.a', 'task upgrade-a'], ['task upgrade.b', 'task upgrade-b'], ['task upgrade.unexpected', 'task upgrade-unexpected']],
  'a key that the device gives': [['on-resource boot.img { raw_write(1024) }', 'on-resource boot.img { raw_write(1024, "cipher=aes-cbc-plain,secret=\\${KEY}") }']],
}; // prettier-ignore

/** Slips that a person makes in a starter. */
const mistaken: [FirmwareBoard, string, [string, string][], string][] = [
  ['x86-gpt', 'the wrong slot', [['raw_write(${ROOTFS_B_OFFSET})', 'raw_write(${ROOTFS_A_OFFSET})']], 'writes-running-slot'],
  ['x86-gpt', 'the wrong requirement', [['"slot.cfg", "slot=a"', '"slot.cfg", "slot=b"']], 'writes-running-slot'],
  ['x86-gpt', 'the switch first', [['info("writing slot a")', 'fat_cp(${EFI_OFFSET}, "slot-a.cfg", "slot.cfg")']], 'switch-before-data'],
  ['x86-gpt', 'a data partition for a slot', [['raw_write(${ROOTFS_B_OFFSET})', 'raw_write(${DATA_OFFSET})']], 'writes-data-partition'],
  ['x86-gpt', 'a folder that was not made', [['fat_mkdir(${EFI_OFFSET}, "EFI/BOOT")', '']], 'fat-directory-missing'],
  ['raspberry-pi', 'the rootfs of the other slot', [['raw_write(${ROOTFS_B_OFFSET})', 'raw_write(${ROOTFS_A_OFFSET})']], 'writes-running-slot'],
  ['raspberry-pi', 'a FAT over the next one', [['fat_mkfs(${BOOT_A_OFFSET}, ${BOOT_COUNT})', 'fat_mkfs(${BOOT_A_OFFSET}, ${ROOTFS_COUNT})']], 'past-partition'],
  ['raspberry-pi', 'the refusal first', [['task upgrade.a {', 'task upgrade { on-init { error("no") } }\ntask upgrade.a {']], 'task-unreachable'],
  ['uboot-ab', 'an environment in a slot', [['define(ENV_REDUND_OFFSET, 8448)', 'define(ENV_REDUND_OFFSET, 16384)']], 'regions-overlap'],
  ['uboot-ab', 'the slot that runs', [['require-uboot-variable(env, "active_slot", "a")', 'require-uboot-variable(env, "active_slot", "b")']], 'writes-running-slot'],
]; // prettier-ignore

describe('lint of a switch that is a resource', () => {
  const bySwitchFile = (order: string[]) =>
    [
      ...order.map((name) => `file-resource ${name} { contents = "${name}" assert-size-lte = 100 }`),
      'task upgrade.a { require-fat-file-match(64, "slot", "b") on-resource data { raw_write(1024) } on-resource a { fat_write(64, "slot") } on-finish { info("x") } }',
      'task upgrade.b { require-fat-file-match(64, "slot", "a") on-resource data { raw_write(2048) } on-resource b { fat_write(64, "slot") } on-finish { info("x") } }',
    ].join('\n');

  it('wants it behind the data in the archive', async () => {
    expect(codesOf(await lint(bySwitchFile(['data', 'a', 'b'])))).not.toContain('switch-before-data');
    expect(codesOf(await lint(bySwitchFile(['a', 'b', 'data'])))).toContain('switch-before-data');
  });

  it('knows by require-path-at-offset what runs', async () => {
    const task = (block: number) =>
      `file-resource data { contents = "x" }\ntask upgrade.a { require-path-at-offset("/", 2048) on-resource data { raw_write(${block}) } }`;
    expect(codesOf(await lint(task(2048)))).toContain('writes-running-slot');
    expect(codesOf(await lint(task(4096)))).not.toContain('writes-running-slot');
  });
});

describe('lint', () => {
  it('finds nothing in a sound configuration', async () => {
    expect(await lint(soundConfig)).toEqual([]);
  });

  it.each(Object.entries(broken))('%s', async (code, { changes, task, diskBlocks, also = [] }) => {
    const findings = await lint(spoiled(soundConfig, ...changes), diskBlocks);
    const found = findings.find((finding) => finding.code === code);
    expect(codesOf(findings)).toEqual(expect.arrayContaining([code]));
    expect(codesOf(findings).filter((other) => other !== code && !also.includes(other))).toEqual([]);
    expect(found?.task).toBe(task ?? found?.task);
    expect(found?.position.line).toBeGreaterThan(0);
    for (const text of [found?.seen, found?.why, found?.mend]) expect(text).toMatch(/\S/);
  });

  it('has a broken configuration for every rule but those on bundles', () => {
    const bundleOnly = ['unsigned', 'unknown-name'];
    expect(rules.map(({ code }) => code).toSorted()).toEqual([...Object.keys(broken), ...bundleOnly].toSorted());
  });

  it.each(Object.entries(harmless))('has nothing against %s', async (_, changes) => {
    expect(await lint(spoiled(soundConfig, ...changes))).toEqual([]);
  });

  it.each(mistaken)('in the starter for %s: %s', async (board, _, changes, code) => {
    const [starter] = await boardStarter(board);
    const findings = await lint(spoiled(starter?.text ?? '', ...changes));
    expect(findings.filter(({ severity }) => severity === 'error').map((finding) => finding.code)).toContain(code);
  });

  it('keeps what is named besides what it sees', async () => {
    await using scratch = await temporaryDirectory();
    const path = join(scratch.path, 'fwup.conf');
    await writeFile(path, soundConfig);
    expect(codesOf(await lintFirmware(path, { data: ['3', '4600:8'] }))).toEqual([]);
    for (const data of ['2', '3072:1', '3000:73']) {
      const found = (await lintFirmware(path, { data: [data] })).find(({ code }) => code === 'writes-data-partition');
      expect(found, data).toMatchObject({ severity: 'error', task: 'upgrade.b' });
    }
    await expect(lintFirmware(path, { data: ['user'] })).rejects.toMatchObject({ code: 'lint-data-unknown' });
  });

  it('finds a table in an upgrade that has no place for the data any more', async () => {
    const table = 'mbr other { partition 0 { block-offset = 1024 block-count = 700 type = 0x83 } }\n';
    const moved = spoiled(
      soundConfig,
      ['task upgrade.b {', `${table}task upgrade.b {`],
      ['info("b")', 'mbr_write(other)'],
    );
    const findings = await lint(moved);
    expect(findings.find(({ code }) => code === 'writes-data-partition')?.seen).toMatch(/leaves no partition at/);
  });

  it('finds nothing in the example product', async () => {
    expect(await lintFirmware(join(top, 'firmware', 'fwup.conf'), { diskBlocks: 40_960 })).toEqual([]);
  });

  it('has every rule in the guide, with its severity and what happens', async () => {
    const guide = await readFile(join(top, 'docs', 'guide', 'firmware.md'), 'utf8');
    const listed = guide.match(/^\| `[a-z-]+` \| (?:error|warning|advice) \| .* \|$/gm);
    const parsing = Object.entries(parseRules).map(([code, rule]) => ({ code, ...rule }));
    expect(listed).toEqual(
      [...parsing, ...rules].map(({ code, severity, why }) => `| \`${code}\` | ${severity} | ${why} |`),
    );
  });

  it('warns of a bundle that is not signed, or has names that are not known', async () => {
    await using scratch = await temporaryDirectory();
    const path = join(scratch.path, 'fwup.conf');
    const outputPath = join(scratch.path, 'u.fw');
    await writeFile(path, soundConfig);
    await buildBundle({ configPath: path, outputPath, engine: 'builtin' });
    expect(codesOf(await lintFirmware(outputPath))).toEqual(['unsigned']);
    const source = await readFirmwareSource(outputPath);
    const unknown = [{ name: 'meta-mood', place: source.root.place }];
    expect(codesOf(lintSource({ ...source, unknown }))).toEqual(['unsigned', 'unknown-name']);
  });

  it('names the place of a text that does not parse, and goes on with the next file', async () => {
    const [finding, ...others] = await lint('meta-product = "x"\ntask t { on-init { raw_memset(1) } }\n');
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ code: 'does-not-parse', severity: 'error', position: { line: 2, column: 20 } });
  });

  it('says that a section was left open', async () => {
    const findings = await lint(soundConfig.trimEnd().slice(0, -1));
    expect(codesOf(findings)).toEqual(['section-not-closed']);
  });

  it('throws what is no fault of a text: a file that is not there', async () => {
    await expect(lintFirmware('/nowhere/fwup.conf')).rejects.toMatchObject({ code: 'firmware-file-unreadable' });
  });
});
