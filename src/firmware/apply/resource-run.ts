import { checkedData, isDelta, memberData, resourceDamaged, type DamageWords } from '../archive/resource-check.ts';
import type { ResourceRecord } from '../config/resource.ts';
import type { ZipMember, ZipReader } from '../archive/zip-reader.ts';
import { decodeDelta } from '../delta/decode.ts';
import { fromByteString } from '../config/source-text.ts';
import { openSource } from './delta-source.ts';
import type { ResourcePlan } from './plan.ts';
import type { ActionContext } from './planned-action.ts';

/** Runs the actions of one resource on a member of the archive. */
export async function runResource(
  plan: ResourcePlan,
  zip: ZipReader,
  member: ZipMember,
  context: ActionContext,
  asFwup: boolean,
): Promise<void> {
  const { section, record } = plan;
  const name = fromByteString(record.name);
  if (!isDelta(member, record)) {
    const raw = memberData(zip, member, asFwup ? Number.MAX_SAFE_INTEGER : record.dataBytes, name);
    await runActions(plan, firstBytes(raw, record.dataBytes, asFwup), context, asFwup);
    for await (const chunk of raw) void chunk; // up to the next member
    return;
  }
  const source = await openSource(section, context);
  if (!source) throw unexpectedSize(name, member.sizeBytes!, record.dataBytes);
  try {
    const raw = memberData(zip, member, member.sizeBytes!, name);
    await runActions(plan, decodeDelta(raw, source), context, asFwup);
    for await (const chunk of raw) void chunk;
  } finally {
    source.close();
  }
}

async function runActions(
  { record, actions }: ResourcePlan,
  data: AsyncIterable<Buffer>,
  context: ActionContext,
  asFwup: boolean,
): Promise<void> {
  let wasRead = false;
  for (const action of actions) {
    context.signal?.throwIfAborted();
    if (!action.readsData) {
      await action.run(context, noData());
      continue;
    }
    const checked = checkedData(data, record, damageWords(action.name, record));
    await action.run(context, checked);
    for await (const chunk of checked) void chunk; // an action that stopped early: the rest counts for the hash
    wasRead = true;
  }
  // No action read it. Its hash is checked all the same, unless it is to be as with fwup.
  if (wasRead || asFwup) return;
  for await (const chunk of checkedData(data, record, damageWords('', record))) void chunk;
}

function damageWords(action: string, { name, dataBytes }: ResourceRecord): DamageWords {
  const shown = fromByteString(name);
  return {
    length: (bytes) =>
      bytes === 0
        ? `${action} didn't write anything and was likely called twice in an on-resource for '${shown}'. Try a "cp" function.`
        : `${action} wrote ${bytes} bytes for '${shown}', but should have written ${dataBytes}`,
    hash: `${action} detected blake2b mismatch on '${shown}'`,
  };
}

async function* noData(): AsyncGenerator<Buffer, void> {}

/** fwup stops at the length that meta.conf tells, however much more there is. */
async function* firstBytes(
  chunks: AsyncIterable<Buffer>,
  count: number,
  asFwup: boolean,
): AsyncGenerator<Buffer, void> {
  let left = count;
  for await (const chunk of chunks) {
    const bytes = asFwup && chunk.length > left ? chunk.subarray(0, left) : chunk;
    if (bytes.length > 0) yield bytes;
    left -= bytes.length;
  }
}

function unexpectedSize(name: string, memberBytes: number, dataBytes: number) {
  return resourceDamaged(
    name,
    `${memberBytes} bytes, and the task does not take deltas`,
    `${dataBytes} bytes`,
    `File '${name}' isn't expected size (${memberBytes} vs ${dataBytes}) and xdelta3 patch support not enabled on it. (Add delta-source-raw-offset / delta-source-raw-count or delta-source-fat-offset / delta-source-fat-path)`,
  );
}
