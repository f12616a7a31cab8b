/** Random configurations with everything that they need, and what the plain ones must leave on a disk. */
import fc from 'fast-check';

export interface RandomResource {
  name: string;
  /** One file, or several that are joined; empty: a `contents` text. */
  files: string[];
  bytes: Buffer;
}

export interface RandomConfig {
  text: string;
  files: Record<string, Buffer>;
  resources: RandomResource[];
  metadata: Record<string, string>;
  /** Of the task `complete`, where every action is a plain write: the writes in their order. */
  writes: { offset: number; bytes: Buffer }[] | undefined;
}

const bytesOf = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc
    .record({ length: fc.nat(maxLength), seed: fc.nat(255), step: fc.constantFrom(0, 1, 7, 13) })
    .map(({ length, seed, step }) => Buffer.from(Array.from({ length }, (_, at) => (seed + at * step) & 0xff)));

const name = fc.stringMatching(/^[a-z][a-z0-9._-]{0,11}$/);
/** Printable, with what has to be quoted. */
const phrase = fc.stringMatching(/^[ -~\n\té]{1,20}$/).map((text) => text.replaceAll('$', '%'));

const metaNames = ['meta-product', 'meta-description', 'meta-version', 'meta-author', 'meta-platform', 'meta-architecture', 'meta-vcs-identifier', 'meta-misc'] as const; // prettier-ignore

/** The same string in one of the ways to write it. */
function quoted(text: string, style: number): string {
  if (/^[A-Za-z0-9_.]+$/.test(text) && style === 0) return text;
  if (style === 1) return `'${text.replace(/['\\]/g, '\\$&')}'`;
  return `"${text.replace(/["\\]/g, '\\$&').replaceAll('\t', style === 2 ? '\\t' : '\t')}"`;
}

/** Blocks of the disk that the parts of a configuration get: apart from each other, so that a model is simple. */
const region = { table: 0, environment: 64, redundant: 80, fat: 128, resources: 9000 } as const;
const fatBlocks = 4000;
const resourceBlocks = 300;
const secret = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f';

const tableText = [
  '',
  `mbr table { signature = 0x01020304 partition 0 { block-offset = ${region.fat} block-count = ${fatBlocks} type = 0xc boot = true } partition 1 { block-offset = ${region.resources} block-count = 100 type = 131 expand = true } }`,
  `mbr table { partition 0 { block-offset = ${region.fat} block-count = 10 type = 1 } partition 3 { block-offset = 6000 type = 0x0f } partition 4 { block-offset = 6010 block-count = 20 type = 131 } }`,
  `gpt table { guid = b443fbeb-2c93-481b-88b3-0ecb0aeba911 partition 0 { block-offset = ${region.fat} block-count = ${fatBlocks} type = c12a7328-f81f-11d2-ba4b-00a0c93ec93b guid = 5278721d-0089-4768-85df-b8f1b97e6684 name = efi boot = true } partition 2 { block-offset = ${region.resources} block-count = 99 type = 44479540-f297-41b2-9af7-d131d5f0458a guid = fcc205c8-2f1c-4dcd-bef4-7b209aa15cca flags = 0x8000000000000001 expand = true } }`,
] as const;

/** `plain`: only raw_write and raw_memset, so that the disk is known without an engine. */
export function randomConfig({ plain }: { plain: boolean }): fc.Arbitrary<RandomConfig> {
  const resource = fc.record({
    parts: fc.array(bytesOf(3000), { minLength: 0, maxLength: 3 }),
    contents: fc.stringMatching(/^[a-zA-Z0-9 ,;:]{0,40}$/),
    block: fc.nat(20),
    use: plain ? fc.constant('raw' as const) : fc.constantFrom('raw', 'cipher', 'fat', 'unused'),
  });
  return fc
    .record({
      metadata: fc.dictionary(fc.constantFrom(...metaNames), phrase, { maxKeys: 4 }),
      names: fc.uniqueArray(name, { minLength: 1, maxLength: 4 }),
      resources: fc.array(resource, { minLength: 4, maxLength: 4 }),
      style: fc.nat(3),
      memset: fc.option(fc.record({ block: fc.nat(40), count: fc.integer({ min: 1, max: 9 }), value: fc.nat(255) })),
      table: plain ? fc.constant(0) : fc.nat(tableText.length - 1),
      variables: plain ? fc.constant<[string, string][]>([]) : fc.array(fc.tuple(name, phrase), { maxLength: 3 }),
      isRedundant: fc.boolean(),
    })
    .map((parts) => assemble(parts, plain));
}

type Parts = {
  metadata: Record<string, string>;
  names: string[];
  resources: { parts: Buffer[]; contents: string; block: number; use: 'raw' | 'cipher' | 'fat' | 'unused' }[];
  style: number;
  memset: { block: number; count: number; value: number } | null;
  table: number;
  variables: [string, string][];
  isRedundant: boolean;
};

function assemble({ metadata, names, resources, style, memset, table, variables, isRedundant }: Parts, plain: boolean): RandomConfig {
  const files: Record<string, Buffer> = {};
  const made: RandomResource[] = [];
  const writes: { offset: number; bytes: Buffer }[] = [];
  const lines = Object.entries(metadata).map(([key, value]) => `${key} = ${quoted(value, style)}`);
  const init: string[] = [];
  const onResource: string[] = [];
  const finish: string[] = [];
  lines.push('define(BASE, 9000)', `define-eval(SECOND, "\${BASE} + ${resourceBlocks}")`);
  if (memset) {
    init.push(`raw_memset(${memset.block}, ${memset.count}, ${memset.value})`);
    writes.push({ offset: memset.block * 512, bytes: Buffer.alloc(memset.count * 512, memset.value) });
  }
  names.forEach((title, index) => {
    const { parts, contents, block, use } = resources[index]!;
    const paths = parts.map((bytes, part) => {
      const path = `${index}-${part}.bin`;
      files[path] = bytes;
      return path;
    });
    const source = paths.length === 0 ? `contents = ${quoted(contents, 2)}` : `host-path = "${paths.join(';')}"`;
    lines.push(`file-resource ${quoted(title, style === 1 ? 1 : 3)} { ${source} }`);
    const bytes = paths.length === 0 ? Buffer.from(contents) : Buffer.concat(parts);
    made.push({ name: title, files: paths, bytes });
    const start = region.resources + index * resourceBlocks + block;
    const target = index === 1 ? `"\${SECOND}"` : String(start);
    const actual = index === 1 ? region.resources + resourceBlocks : start;
    if (use === 'raw') {
      onResource.push(`on-resource "${title}" { raw_write(${target}) }`);
      const padded = Buffer.alloc(Math.ceil(bytes.length / 512) * 512);
      bytes.copy(padded);
      if (padded.length > 0) writes.push({ offset: actual * 512, bytes: padded });
    } else if (use === 'cipher') {
      onResource.push(`on-resource "${title}" { raw_write(${target}, "cipher=aes-cbc-plain", "secret=${secret}") }`);
    } else if (use === 'fat') {
      // Whole sectors: what fwup leaves behind the end of a file depends on how the archive was cut.
      const isWhole = bytes.length % 512 === 0;
      onResource.push(`on-resource "${title}" { ${isWhole ? `fat_write(${region.fat})` : `raw_write(${target})`} }`);
    }
  });
  if (!plain) {
    const redundant = isRedundant ? `block-offset-redund = ${region.redundant}` : '';
    lines.push(`uboot-environment env { block-offset = ${region.environment} block-count = 16 ${redundant} }`);
    if (table > 0) lines.push(tableText[table]!);
    init.push(`fat_mkfs(${region.fat}, ${fatBlocks})`, `fat_mkdir(${region.fat}, "Sub dir")`, 'uboot_clearenv(env)');
    for (const [key, value] of variables) finish.push(`uboot_setenv(env, "${key}", ${quoted(value, 3)})`);
    if (table > 0) finish.push(table === 3 ? 'gpt_write(table)' : 'mbr_write(table)');
    finish.push(`fat_touch(${region.fat}, "Sub dir/LongName with blanks.txt")`);
  }
  lines.push(`task complete {\n on-init { ${init.join(' ')} }\n ${onResource.join('\n ')}\n on-finish { ${finish.join(' ')} }\n}`);
  lines.push('task "other task" { require-uboot-variable(env, a, b) }'.slice(0, plain ? 0 : undefined));
  return { text: `${lines.join('\n')}\n`, files, resources: made, metadata, writes: plain ? writes : undefined };
} // prettier-ignore

/** The image that the writes leave: whole segments of 128 KiB, what nobody wrote is zero. */
export function imageOf(writes: readonly { offset: number; bytes: Buffer }[]): Buffer {
  const end = Math.max(0, ...writes.map(({ offset, bytes }) => offset + bytes.length));
  const image = Buffer.alloc(Math.ceil(end / 131_072) * 131_072);
  for (const { offset, bytes } of writes) bytes.copy(image, offset);
  return image;
}
