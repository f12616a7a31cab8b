/** The example product in small: the same layout, files and checks, with less of the filler that gives it its weight. */
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { buildProductImages, productPath } from '../../src/board/index.ts';
import { buildBundle } from '../../src/firmware/index.ts';

export interface SmallBundle {
  path: string;
  /** What a slot holds of it. */
  rootfs: Buffer;
}

export interface SmallProduct {
  /** `imageOf`: the weight of another version, so that the two differ in little. */
  build(version: string, changes?: Record<string, string>, option?: { imageOf?: string }): Promise<SmallBundle>;
}

export async function smallProduct(
  dir: string,
  { fillerBytes, privateKeyPath }: { fillerBytes: number; privateKeyPath: string },
): Promise<SmallProduct> {
  const productDir = join(dir, 'product');
  await cp(productPath(), productDir, { recursive: true });
  const file = join(productDir, 'product.yaml');
  const document = parseDocument(await readFile(file, 'utf8'));
  document.setIn(['rootfs', 'filler', 'bytes'], fillerBytes);
  await writeFile(file, document.toString());
  return {
    async build(version, changes = {}, { imageOf = version } = {}) {
      const outDir = join(dir, 'image', version);
      const { variables, rootfs } = await buildProductImages({ productDir, outDir, version: imageOf, changes });
      const path = join(dir, `harbour-meter-${version}.fw`);
      await buildBundle({
        configPath: join(productDir, 'fwup.conf'),
        outputPath: path,
        privateKeyPath,
        variables: { ...variables, HM_VERSION: version },
        compressionLevel: 1,
      });
      return { path, rootfs: await readFile(rootfs) };
    },
  };
}
