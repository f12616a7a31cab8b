/** The releases of the demo: what a product's team does at its desk, with `flotilla firmware` and `flotilla release`. */
import { join } from 'node:path';
import { buildProductImages, productPath } from '../board/index.ts';
import type { Release } from '../client/contract/index.ts';
import type { DemoCli } from './demo-cli.ts';

/** The mistake in the third release: a register that this meter does not have. Nothing notices before the health check. */
export const brokenRelease = {
  version: '3.0.0',
  changes: { 'etc/meter.conf': 'REGISTERS="1-0:1.8.0 1-0:2.8.0 1-0:61.7.0"\n' },
};

export interface BuiltBundle {
  version: string;
  path: string;
}

export async function buildRelease(
  cli: DemoCli,
  { dir, version, changes = {} }: { dir: string; version: string; changes?: Record<string, string> },
): Promise<BuiltBundle> {
  const productDir = productPath();
  const { variables } = await buildProductImages({ productDir, outDir: join(dir, 'image', version), version, changes });
  const path = join(dir, `harbour-meter-${version}.fw`);
  const defines = Object.entries(variables).flatMap(([name, value]) => ['--define', `${name}=${value}`]);
  await cli.run([
    'firmware',
    'build',
    '-f',
    join(productDir, 'fwup.conf'),
    '-o',
    path,
    '--compression',
    '1',
    ...defines,
  ]);
  return { version, path };
}

export const publish = (cli: DemoCli, bundle: BuiltBundle): Promise<Release> =>
  cli.run<Release>(['release', 'publish', bundle.path]);
