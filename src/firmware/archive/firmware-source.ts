import { statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { compileConfig, hostPath } from '../config/compile.ts';
import { resourceRecord } from '../config/resource.ts';
import type { Section } from '../config/section.ts';
import { positionOf, type ByteString, type Place } from '../config/source-text.ts';
import { FlotillaError, type Position } from '../../error.ts';
import { blockBytes } from '../layout/block-range.ts';
import type { ResourceSize, ResourceSizes } from '../layout/effect.ts';
import type { BundleSummary } from './bundle-summary.ts';
import { readUnproved } from './inspect.ts';

/** A bundle, or the configuration that one is built from: what both say in the same words. */
export interface FirmwareSource {
  readonly path: string;
  readonly root: Section;
  readonly sizes: ResourceSizes;
  /** Only of a bundle. */
  readonly bundle?: BundleSummary;
  /** Names in a meta.conf that no table has; a configuration with such a name is not read at all. */
  readonly unknown: readonly { readonly name: ByteString; readonly place: Place }[];
  /** Accepted, though probably not meant. */
  readonly warnings: readonly { readonly message: string; readonly position: Position }[];
}

export interface SourceOption {
  /** For a configuration: what `${NAME}` means before its own defines. */
  variables?: Readonly<Record<string, string | undefined>>;
}

/** Proves nothing: a bundle's signature is not looked at, resources are measured and not read. */
export async function readFirmwareSource(path: string, { variables }: SourceOption = {}): Promise<FirmwareSource> {
  return (await isArchive(path)) ? readBundleSource(path) : readConfigurationSource(path, variables);
}

/** Where in the source, for a person: a place in a bundle's meta.conf is named by the bundle. */
export function positionIn(source: Pick<FirmwareSource, 'path'>, place: Place): Position {
  const position = positionOf(place);
  return place.source.origin === 'archive' ? { ...position, file: `${source.path}/meta.conf` } : position;
}

async function isArchive(path: string): Promise<boolean> {
  if (path.endsWith('.fw')) return true; // if it is none, the error says what is wrong with it
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw new FlotillaError('usage', 'firmware-file-unreadable', `cannot read ${path}`, {
      seen: cause instanceof Error ? cause.message : String(cause),
      expected: 'a .fw bundle or a fwup.conf',
      cause,
    });
  });
  try {
    const head = Buffer.alloc(4);
    if (!(await file.stat()).isFile()) return false; // whoever reads it as a configuration says so
    await file.read(head, 0, 4, 0);
    return head.equals(Buffer.from('PK\x03\x04', 'latin1'));
  } finally {
    await file.close();
  }
}

async function readBundleSource(path: string): Promise<FirmwareSource> {
  const { head, summary } = await readUnproved(path);
  const { root, unknown } = head.metaConf;
  const sizes = new Map<ByteString, ResourceSize>();
  for (const section of root.all('file-resource')) {
    sizes.set(section.title, { bytes: resourceRecord(section).fileBytes });
  }
  return { path, root, sizes, bundle: summary, unknown, warnings: [] };
}

function readConfigurationSource(path: string, variables: SourceOption['variables']): FirmwareSource {
  const { root, warnings } = compileConfig({ configPath: path, ...(variables === undefined ? {} : { variables }) });
  const sizes = new Map(root.all('file-resource').map((section) => [section.title, sizeOf(section)]));
  return { path, root, sizes, unknown: [], warnings };
}

/** Of the files as they are now; where one is missing, only what assert-size-lte promises. */
function sizeOf(section: Section): ResourceSize {
  const atMost = section.integer('assert-size-lte') ?? -1;
  const limit = atMost < 0 ? {} : { atMostBytes: atMost * blockBytes };
  const contents = section.text('contents');
  if (contents !== undefined) return { bytes: contents.length, ...limit };
  const { directory } = section.place.source;
  const paths = (section.text('host-path') ?? '').split(';').filter((path) => path !== '');
  const stats = paths.map((path) => statSync(hostPath(path, directory), { throwIfNoEntry: false }));
  if (stats.length === 0 || stats.some((stat) => !stat?.isFile())) return limit;
  return { bytes: stats.reduce((sum, stat) => sum + (stat?.size ?? 0), 0), ...limit };
}
