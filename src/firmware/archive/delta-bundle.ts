import { realpath } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { deflateRawSync } from 'node:zlib';
import { FlotillaError } from '../../error.ts';
import { resourceNameOf, resourceRecord, type ResourceRecord } from '../config/resource.ts';
import type { Section } from '../config/section.ts';
import { fromByteString } from '../config/source-text.ts';
import { decodeDelta } from '../delta/decode.ts';
import { encodeDelta } from '../delta/encode.ts';
import { writeFileAtomically } from './atomic-file.ts';
import { BundleFile } from './bundle-file.ts';
import { metaConfMember, readBundleHead, signatureMember, type BundleHead } from './bundle-head.ts';
import type { BundleSummary } from './bundle-summary.ts';
import { ByteReader } from './byte-reader.ts';
import { deltaOrigin } from './delta-origin.ts';
import { inspectBundle } from './inspect.ts';
import { signatureBytes } from './key.ts';
import { malformed } from './malformed.ts';
import { checkedData, checkedResource, isDelta } from './resource-check.ts';
import { ZipReader, type ZipMember } from './zip-reader.ts';
import { ZipWriter } from './zip-writer.ts';

export interface DeltaOption {
  /** The bundle that devices run. */
  beforePath: string;
  /** The bundle that they shall get. */
  afterPath: string;
  outputPath: string;
}

export interface DeltaBundle {
  before: { version: string; uuid: string };
  after: { version: string; uuid: string };
  /** Of the delta bundle. */
  fileBytes: number;
  /** Of the bundle that devices get without it. */
  fullBytes: number;
  resources: DeltaResource[];
}

export interface DeltaResource {
  name: string;
  /** Bytes in the full bundle's archive, and in the delta bundle's. */
  fullBytes: number;
  deltaBytes: number;
  /** The resource of the old bundle that it is made from. */
  from?: string;
  /** Why it is in the bundle as a whole. */
  reason?: string;
}

/** Both of them are held in memory while a patch is made. */
const maxResourceBytes = 1024 * 1024 * 1024;

/**
 * Writes the bundle of `afterPath` with patches in place of the resources that devices which run `beforePath` have in
 * an older form. meta.conf, signature and UUID stay: a device checks what comes out just as if it had got it whole.
 * Every patch is applied and compared before it is written, and one that is no smaller is not used.
 * @throws FlotillaError `firmware-delta-no-gain` when there is nothing to win; no file is written then
 */
export async function buildDeltaBundle(option: DeltaOption): Promise<DeltaBundle> {
  const outputPath = await realpath(option.outputPath).catch(() => option.outputPath);
  const [before, after] = [await inspectBundle(option.beforePath), await inspectBundle(option.afterPath)];
  requireSameProduct(before, after);
  const old = await openBundle(option.beforePath);
  const oldRoot = old.head.metaConf.root;
  await old.reader.close();
  const resources: DeltaResource[] = [];
  const fresh = await openBundle(option.afterPath);
  try {
    await writeFileAtomically(outputPath, async (write) => {
      const out = new ZipWriter(write);
      await copyHead(out, fresh.head);
      for (let member = await fresh.zip.next(); member; member = await fresh.zip.next()) {
        const packed = await packMember(fresh, member, { oldRoot, oldPath: option.beforePath });
        if (packed === undefined) continue;
        resources.push(packed.resource);
        await out.add({ name: member.name, sizeBytes: packed.data.length, data: [packed.data] });
      }
      if (resources.every(({ reason }) => reason !== undefined)) throw noGain(resources);
      await out.finish();
    });
  } finally {
    await fresh.reader.close();
  }
  const { fileBytes } = await inspectBundle(outputPath);
  return {
    before: { version: before.version, uuid: before.uuid },
    after: { version: after.version, uuid: after.uuid },
    fileBytes,
    fullBytes: after.fileBytes,
    resources,
  };
}

interface OldBundle {
  oldRoot: Section;
  oldPath: string;
}

/** What of a member goes into the delta bundle; undefined for the folder data/ itself, which is left out. */
async function packMember(
  { zip, head }: OpenBundle,
  member: ZipMember,
  old: OldBundle,
): Promise<{ resource: DeltaResource; data: Buffer } | undefined> {
  const { root } = head.metaConf;
  const name = resourceNameOf(member.name);
  if (name === '') {
    for await (const chunk of zip.data(member, 0)) void chunk;
    return undefined;
  }
  const section = root.find('file-resource', name);
  if (!section) throw malformed(`a member that meta.conf does not name: ${fromByteString(member.name)}`);
  const record = resourceRecord(section);
  if (isDelta(member, record)) throw alreadyDelta('the new bundle');
  const data = await collect(checkedResource(zip, member, record));
  const fullBytes = zip.members.at(-1)!.actualCompressed;
  const full = { name: fromByteString(name), fullBytes, deltaBytes: fullBytes };
  const made = await makePatch(data, record, root, old);
  if ('reason' in made) return { resource: { ...full, reason: made.reason }, data };
  const { patch, from } = made;
  const deltaBytes = deflateRawSync(patch, { level: 9 }).length;
  // A patch of just this length would be taken for the resource itself.
  return deltaBytes < fullBytes && patch.length !== record.dataBytes
    ? { resource: { ...full, deltaBytes, from }, data: patch }
    : { resource: { ...full, from, reason: 'a delta is no smaller' }, data };
}

interface OpenBundle {
  reader: ByteReader;
  zip: ZipReader;
  head: BundleHead;
}

async function openBundle(path: string): Promise<OpenBundle> {
  const reader = new ByteReader(new BundleFile(path));
  try {
    const zip = new ZipReader(reader);
    return { reader, zip, head: await readBundleHead(zip, {}) };
  } catch (error) {
    await reader.close();
    throw error;
  }
}

async function copyHead(out: ZipWriter, { signature, metaConfBytes, mtimeSeconds }: BundleHead): Promise<void> {
  if (signature) await out.add({ name: signatureMember, sizeBytes: signatureBytes, stored: true, data: [signature] });
  await out.add({ name: metaConfMember, sizeBytes: metaConfBytes.length, mtimeSeconds, data: [metaConfBytes] });
}

/** A patch for a resource and the old resource that it is for, or why there is none. */
async function makePatch(
  data: Buffer,
  record: ResourceRecord,
  root: Section,
  { oldRoot, oldPath }: OldBundle,
): Promise<{ patch: Buffer; from: string } | { reason: string }> {
  if (record.map.length > 1) return { reason: 'it has holes, and such a resource has no deltas' };
  const origin = deltaOrigin(record.name, root, oldRoot);
  if ('reason' in origin) return origin;
  if (Math.max(origin.resource.dataBytes, data.length) > maxResourceBytes) {
    return { reason: `it is larger than ${maxResourceBytes} bytes` };
  }
  const source = await readOld(oldPath, origin.resource);
  const patch = await collect(encodeDelta(source, Readable.from([data])));
  await checkPatch(patch, source, record);
  return { patch, from: fromByteString(origin.resource.name) };
}

/** Whether the patch makes what meta.conf promises. */
async function checkPatch(patch: Buffer, source: Buffer, record: ResourceRecord): Promise<void> {
  const reader = { read: async (offset: number, into: Buffer) => void source.copy(into, 0, offset) };
  const made = checkedData(decodeDelta(Readable.from([patch]), reader), record, {
    length: () => 'the patch makes another length',
    hash: 'the patch makes other bytes',
  });
  for await (const chunk of made) void chunk;
}

async function readOld(path: string, record: ResourceRecord): Promise<Buffer> {
  const { reader, zip } = await openBundle(path);
  try {
    for (let member = await zip.next(); member; member = await zip.next()) {
      if (resourceNameOf(member.name) !== record.name) {
        for await (const chunk of zip.data(member, Number.MAX_SAFE_INTEGER)) void chunk;
      } else if (isDelta(member, record)) throw alreadyDelta('the old bundle');
      else return await collect(checkedResource(zip, member, record));
    }
  } finally {
    await reader.close();
  }
  throw malformed(`there is no resource '${fromByteString(record.name)}'`);
}

/** The memory of a chunk is used again for a later one. */
async function collect(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const copies: Buffer[] = [];
  for await (const chunk of chunks) copies.push(Buffer.from(chunk));
  return Buffer.concat(copies);
}

function requireSameProduct(before: BundleSummary, after: BundleSummary): void {
  for (const key of ['product', 'platform'] as const) {
    if (before[key] === after[key]) continue;
    throw new FlotillaError('refused', 'firmware-delta-other-product', `the two bundles are not for the same ${key}`, {
      seen: `"${before[key]}" and "${after[key]}"`,
      suggestion: 'give the bundle that devices run, then the one that they shall get',
    });
  }
  if (before.uuid === after.uuid) {
    throw new FlotillaError('refused', 'firmware-delta-same', 'the two bundles are the same', { seen: before.uuid });
  }
}

function alreadyDelta(which: string): FlotillaError {
  return new FlotillaError('refused', 'firmware-delta-of-delta', 'a delta is made from full bundles', {
    seen: `${which} is a delta itself`,
    suggestion: 'give the full bundle of that version',
  });
}

function noGain(resources: readonly DeltaResource[]): FlotillaError {
  const reasons = resources.map(({ name, reason }) => `${name}: ${reason}`);
  return new FlotillaError('refused', 'firmware-delta-no-gain', 'no resource is smaller as a delta', {
    seen: reasons.join('; ') || 'no resources',
    suggestion: 'send the full bundle; tasks take deltas with delta-source-raw-offset in their on-resource',
  });
}
