/** From a product's folder (product.yaml, overlay, boot files) to the two images that its fwup.conf packs. */
import { createCipheriv, createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Type } from 'typebox';
import { Check, Errors } from 'typebox/value';
import { parse } from 'yaml';
import { FlotillaError } from '../error.ts';
import { encodeCpio, fileType, type CpioEntry } from './cpio.ts';
import { collectRootfs } from './rootfs.ts';

const ProductSchema = Type.Object({
  name: Type.String({ minLength: 1 }),
  boot: Type.Object({ files: Type.String({ minLength: 1 }) }),
  rootfs: Type.Object({
    overlay: Type.String({ minLength: 1 }),
    versioned: Type.Array(Type.String()),
    filler: Type.Object({ path: Type.String(), bytes: Type.Integer({ minimum: 0, maximum: 1 << 26 }) }),
    manifest: Type.String(),
  }),
});

export interface ImageOption {
  productDir: string;
  /** Where the images are written. */
  outDir: string;
  version: string;
  /** Files of the overlay that this build has otherwise: path in the rootfs, new text. */
  changes?: Readonly<Record<string, string>>;
}

export interface ProductImage {
  boot: string;
  rootfs: string;
  /** What fwup.conf takes them by. */
  variables: { HM_VERSION: string; HM_BOOT: string; HM_ROOTFS: string };
}

/** The same folder, version and changes give the same bytes. */
export async function buildProductImages({
  productDir,
  outDir,
  version,
  changes = {},
}: ImageOption): Promise<ProductImage> {
  const product: unknown = parse(await readFile(join(productDir, 'product.yaml'), 'utf8'));
  if (!Check(ProductSchema, product)) {
    const [first] = Errors(ProductSchema, product);
    throw new FlotillaError(
      'usage',
      'product-invalid',
      `product.yaml: ${first?.instancePath ?? ''} ${first?.message ?? ''}`,
      {
        position: { file: join(productDir, 'product.yaml'), line: 1, column: 1 },
      },
    );
  }
  const { overlay, versioned, filler, manifest } = product.rootfs;
  const files = new Map((await collectRootfs(join(productDir, overlay))).map((entry) => [entry.path, entry]));
  for (const [path, text] of Object.entries(changes)) putFile(files, path, Buffer.from(text));
  for (const path of versioned) {
    const text = Buffer.from(files.get(path)?.content ?? []).toString();
    putFile(files, path, Buffer.from(text.replaceAll('@VERSION@', version)));
  }
  putFile(files, filler.path, fillerBytes(`${product.name} ${version}`, filler.bytes));
  putFile(files, manifest, Buffer.from(sha256List([...files.values()])));

  const boot = join(outDir, 'boot.img');
  const rootfs = join(outDir, 'rootfs.img');
  await mkdir(outDir, { recursive: true });
  await writeFile(boot, encodeCpio(await collectRootfs(join(productDir, product.boot.files))));
  await writeFile(rootfs, encodeCpio([...files.values()].sort(byPath)));
  return { boot, rootfs, variables: { HM_VERSION: version, HM_BOOT: boot, HM_ROOTFS: rootfs } };
}

function putFile(files: Map<string, CpioEntry>, path: string, content: Uint8Array): void {
  const mode = files.get(path)?.mode ?? fileType.file | 0o644;
  for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) {
    if (!files.has(folder))
      files.set(folder, { path: folder, mode: fileType.directory | 0o755, content: new Uint8Array() });
  }
  files.set(path, { path, mode, content });
}

/** Bytewise, which puts a folder before what is in it. */
const byPath = (left: CpioEntry, right: CpioEntry): number => (left.path < right.path ? -1 : 1);

/** A key stream: no compressor finds anything in it. */
function fillerBytes(seed: string, length: number): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

function sha256List(entries: readonly CpioEntry[]): string {
  return entries
    .filter(({ mode }) => (mode & fileType.mask) === fileType.file)
    .sort(byPath)
    .map(({ path, content }) => `${createHash('sha256').update(content).digest('hex')}  ${path}\n`)
    .join('');
}
