/** The example product as signed bundles, and boards whose disks a bundle's `complete` task wrote. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { buildProductImages, createBoard, productPath, type VirtualBoard } from '../../src/board/index.ts';
import { applyBundle, buildBundle, readPublicKey, writeKeyPair } from '../../src/firmware/index.ts';

export interface ProductBuilder {
  publicKeyPath: string;
  privateKeyPath: string;
  /** A signed bundle of this version; `changes` are files of the rootfs that it has otherwise. */
  build(version: string, changes?: Record<string, string>): Promise<string>;
  /** A board with this bundle on its disk, switched off. */
  board(
    id: string,
    bundlePath: string,
    hardware?: { watchdogMs?: number; firstTouchMs?: number },
  ): Promise<VirtualBoard>;
}

export async function productBuilder(dir: string): Promise<ProductBuilder> {
  await mkdir(dir, { recursive: true });
  const { publicKeyPath, privateKeyPath } = await writeKeyPair(join(dir, 'product-key'));
  return {
    publicKeyPath,
    privateKeyPath,
    async build(version, changes = {}) {
      const productDir = productPath();
      const image = await buildProductImages({ productDir, outDir: join(dir, `image-${version}`), version, changes });
      const outputPath = join(dir, `${version}.fw`);
      await buildBundle({
        configPath: join(productDir, 'fwup.conf'),
        outputPath,
        privateKeyPath,
        variables: image.variables,
        compressionLevel: 1,
      });
      return outputPath;
    },
    async board(id, bundlePath, hardware = {}) {
      const board = await createBoard({ dir: join(dir, 'board', id), deviceId: id, ...hardware });
      const publicKeys = [await readPublicKey(publicKeyPath)];
      await applyBundle({ path: bundlePath, destinationPath: board.path.disk, task: 'complete', publicKeys });
      return board;
    },
  };
}
