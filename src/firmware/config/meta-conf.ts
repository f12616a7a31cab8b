import { checkFwupVersion } from './fwup-version.ts';
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
}

/** What is known of a bundle beside its text: the options of these names, and two variables. */
export interface BundleIdentity {
  readonly uuid: string;
  readonly nickname: string;
  readonly creationDate: string;
}

export interface MetaConfOption {
  readonly variables?: Readonly<Record<string, string | undefined>>;
  /** As fwup: a text that ends inside a section is taken as it is, the version it asks for counts at once. */
  readonly lenient?: boolean;
}

/**
 * Parses the bytes of a meta.conf, with run-time substitution of `variables` (FWUP_META_UUID and FWUP_META_NICKNAME
 * are always set). Calls are decoded from reqlist and funlist; they are not checked yet, so that bundles of other
 * engines can be inspected.
 */
export function parseMetaConf(
  bytes: Buffer,
  { uuid, nickname, creationDate }: BundleIdentity,
  { variables = {}, lenient = false }: MetaConfOption = {},
): MetaConf {
  const set = new VariableSet({ ...variables, FWUP_META_UUID: uuid, FWUP_META_NICKNAME: nickname });
  const unknown: { name: ByteString; place: Place }[] = [];
  const source = { name: 'meta.conf', directory: '', text: bytes.toString('latin1'), origin: 'archive' as const };
  const root = parseConfig(source, {
    variables: set,
    include: (_path, place) => {
      throw configError(place, 'include in a meta.conf');
    },
    unknown: (name, _kind, _section, place) => unknown.push({ name, place }),
    unclosed: (section, place) => {
      if (lenient) return;
      throw configError(place, 'premature end of file', { expected: `} of ${section.kind}` });
    },
    sectionClosed: (section) => section.calls.push(...decodeCalls(section)),
  });
  if (lenient) checkFwupVersion(root);
  for (const [name, value] of Object.entries({ 'meta-uuid': uuid, 'meta-nickname': nickname })) {
    if (root.has(name) && root.text(name) !== value) {
      throw configError(root.placeOf(name), `${name} is not the one of this text`, {
        expected: value,
        fwup: "meta.conf isn't allowed to change 'meta-uuid', 'meta-nickname', '$FWUP_META_UUID' or '$FWUP_META_NICKNAME'",
      });
    }
    root.set(name, value);
  }
  if (!root.has('meta-creation-date')) root.set('meta-creation-date', creationDate);
  return { root, unknown };
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
