import { parseConfig } from './parse.ts';
import type { Call, Section } from './section.ts';
import { configError, fromByteString, type ByteString, type Place } from './source-text.ts';
import { VariableSet } from './variable.ts';

export const minMetaConfBytes = 10;
/** fwup reads no longer one. */
export const maxMetaConfBytes = 49_999;

/** A meta.conf as a device reads it. */
export interface MetaConf {
  readonly root: Section;
  /** Names that the tables do not have: shown by inspect, refused by apply. */
  readonly unknown: readonly { name: ByteString; place: Place }[];
  /** Whether the text asks for ${FWUP_META_NICKNAME}, which this engine does not compute. */
  readonly usesNickname: boolean;
}

/**
 * Parses the bytes of a meta.conf, with run-time substitution of `variables` (FWUP_META_UUID is always set). Calls
 * are decoded from reqlist and funlist; they are not checked yet, so that bundles of other engines can be inspected.
 */
export function parseMetaConf(bytes: Buffer, uuid: string, variables: Readonly<Record<string, string>> = {}): MetaConf {
  const set = new VariableSet({ ...variables, FWUP_META_UUID: uuid });
  const unknown: { name: ByteString; place: Place }[] = [];
  const source = { name: 'meta.conf', directory: '', text: bytes.toString('latin1'), origin: 'archive' as const };
  const root = parseConfig(source, {
    variables: set,
    include: (_path, place) => {
      throw configError(place, 'include in a meta.conf');
    },
    unknown: (name, _kind, _section, place) => unknown.push({ name, place }),
    unclosed: (section, place) => {
      throw configError(place, 'premature end of file', { expected: `} of ${section.kind}` });
    },
    sectionClosed: (section) => section.calls.push(...decodeCalls(section)),
  });
  return { root, unknown, usesNickname: set.used.has('FWUP_META_NICKNAME') };
}

function decodeCalls(section: Section): Call[] {
  const option = section.has('reqlist') ? 'reqlist' : 'funlist';
  const items = section.value(option);
  if (!Array.isArray(items)) return [];
  const place = section.placeOf(option);
  const calls: Call[] = [];
  for (let at = 0; at < items.length;) {
    const count = Number(items[at]);
    const name: unknown = items[at + 1];
    if (!Number.isInteger(count) || count < 1 || at + 1 + count > items.length || typeof name !== 'string') {
      throw configError(place, `${option} is not a list of calls`, { seen: fromByteString(String(items[at])) });
    }
    calls.push({ name, args: items.slice(at + 2, at + 1 + count) as ByteString[], place });
    at += 1 + count;
  }
  return calls;
}
