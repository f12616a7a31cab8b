import { checkedData, isDelta, memberData, resourceDamaged } from '../archive/resource-check.ts';
import type { ZipMember, ZipReader } from '../archive/zip-reader.ts';
import { decodeDelta } from '../delta/decode.ts';
import { fromByteString } from '../config/source-text.ts';
import { deltaSource } from './delta-source.ts';
import type { ResourcePlan } from './plan.ts';
import type { ActionContext } from './planned-action.ts';

/** Runs the actions of one resource on a member of the archive. */
export async function runResource(
  { section, record, actions }: ResourcePlan,
  zip: ZipReader,
  member: ZipMember,
  context: ActionContext,
  asFwup: boolean,
): Promise<void> {
  const name = fromByteString(record.name);
  const isPatch = isDelta(member, record);
  const raw = memberData(zip, member, isPatch ? member.sizeBytes! : asFwup ? Infinity : record.dataBytes, name);
  const source = isPatch ? deltaSource(section, context) : undefined;
  if (isPatch && !source) throw unexpectedSize(name, member.sizeBytes!, record.dataBytes);
  const data = source ? decodeDelta(raw, source) : firstBytes(raw, record.dataBytes, asFwup);
  let wasRead = false;
  for (const action of actions) {
    context.signal?.throwIfAborted();
    if (!action.readsData) {
      await action.run(context, noData());
      continue;
    }
    const words = {
      length: (bytes: number): string =>
        bytes === 0
          ? `${action.name} didn't write anything and was likely called twice in an on-resource for '${name}'. Try a "cp" function.`
          : `${action.name} wrote ${bytes} bytes for '${name}', but should have written ${record.dataBytes}`,
      hash: `${action.name} detected blake2b mismatch on '${name}'`,
    };
    const checked = checkedData(data, record, words);
    await action.run(context, checked);
    for await (const chunk of checked) void chunk; // an action that stopped early: the rest counts for the hash
    wasRead = true;
  }
  // No action read it. Its hash is checked all the same, unless it is to be as with fwup.
  if (!wasRead && !asFwup) {
    for await (const chunk of checkedData(data, record, { length: () => '', hash: '' })) void chunk;
  }
  for await (const chunk of raw) void chunk; // up to the next member
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
