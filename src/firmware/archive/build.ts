import { compileConfig, type CompiledConfig, type CompileOption } from '../config/compile.ts';
import { maxMetaConfBytes } from '../config/meta-conf.ts';
import { memberNameOf } from '../config/resource.ts';
import { serializeMetaConf } from '../config/serialize.ts';
import { FlotillaError } from '../../error.ts';
import { writeFileAtomically } from './atomic-file.ts';
import type { BundleSummary } from './bundle-summary.ts';
import { inspectBundle } from './inspect.ts';
import { readPrivateKey } from './key.ts';
import { measureResource, packResource, type ResourceInput } from './resource-input.ts';
import { addSignedHead } from './sign.ts';
import { ZipWriter } from './zip-writer.ts';

export interface BuildOption extends CompileOption {
  outputPath: string;
  /** Absent: the bundle is not signed, and no device takes it. */
  privateKeyPath?: string;
  /** The bundle's date; by default now. Not part of the UUID. */
  sourceDateEpochSeconds?: number;
  /** 1 (fast) to 9 (small, the default). */
  compressionLevel?: number;
  onWarning?: (warning: CompiledConfig['warnings'][number]) => void;
}

/** A configuration with its resources read and hashed: everything that an archive needs. */
export interface CompiledBundle {
  readonly config: CompiledConfig;
  readonly metaConf: Buffer;
  readonly resources: readonly ResourceInput[];
}

export interface PackOption {
  privateKey: Buffer | undefined;
  mtimeSeconds: number;
  compressionLevel?: number | undefined;
}

/** meta.conf of a configuration, with the resources that it speaks of. */
export async function compileBundle(option: CompileOption): Promise<CompiledBundle> {
  const config = compileConfig(option);
  const resources: ResourceInput[] = [];
  for (const section of config.root.all('file-resource')) resources.push(await measureResource(section));
  return { config, metaConf: Buffer.from(serializeMetaConf(config.root), 'latin1'), resources };
}

/** Writes the archive; `write` gets its bytes in order. */
export async function packBundle(
  { metaConf, resources }: CompiledBundle,
  { privateKey, mtimeSeconds, compressionLevel }: PackOption,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const out = new ZipWriter(write, compressionLevel);
  await addSignedHead(out, metaConf, privateKey, mtimeSeconds);
  for (const input of resources) {
    const name = memberNameOf(input.section.title);
    await out.add({ name, sizeBytes: input.sizeBytes, crc: input.crc, data: packResource(input) });
  }
  await out.finish();
}

/** Builds a .fw archive. `outputPath` is replaced only by a whole, synced file. */
export async function buildBundle(option: BuildOption): Promise<BundleSummary> {
  const privateKey = option.privateKeyPath === undefined ? undefined : await readPrivateKey(option.privateKeyPath);
  const bundle = await compileBundle(option);
  const { config, metaConf } = bundle;
  if (metaConf.length > maxMetaConfBytes) {
    throw new FlotillaError(
      'usage',
      'firmware-config-too-large',
      'the configuration gives a meta.conf that nothing reads',
      {
        seen: `${metaConf.length} bytes`,
        expected: `at most ${maxMetaConfBytes} bytes`,
      },
    );
  }
  for (const warning of config.warnings) option.onWarning?.(warning);
  const mtimeSeconds = option.sourceDateEpochSeconds ?? Math.floor(Date.now() / 1000);
  const { compressionLevel } = option;
  await writeFileAtomically(option.outputPath, (write) =>
    packBundle(bundle, { privateKey, mtimeSeconds, compressionLevel }, write),
  );
  return inspectBundle(option.outputPath);
}
