import type { OptionSpec } from './schema.ts';
import type { Call, ConfigValue, Section } from './section.ts';
import type { ByteString } from './source-text.ts';

/**
 * The canonical meta.conf text of a configuration: options in table order, defaults, empty values and creation-only
 * options dropped, strings bare where they can be. The UUID is a hash of these bytes. An empty configuration gives
 * fwup's `# Empty file`.
 */
export function serializeMetaConf(root: Section): ByteString {
  return sectionBody(root) || '# Empty file\n';
}

function sectionBody(section: Section): ByteString {
  const options = section.spec.options.map((option) => optionLine(option, section)).join('');
  const sections = section.spec.sections.flatMap((spec) => section.all(spec.kind)).map(nestedSection);
  return options + sections.join('');
}

function nestedSection(section: Section): ByteString {
  const body = sectionBody(section);
  if (body === '' && section.kind !== 'task') return '';
  const title = section.spec.titled ? ` "${section.title}"` : '';
  return `${section.kind}${title} {\n${body}}\n`;
}

function optionLine(option: OptionSpec, section: Section): ByteString {
  if (option.creationOnly) return '';
  return valueLine(option, section);
}

/** What `fwup -m` tells, in its order: two options stand the other way round than in meta.conf. */
const metadataOptions = ['meta-product', 'meta-description', 'meta-version', 'meta-author', 'meta-platform', 'meta-architecture', 'meta-creation-date', 'meta-fwup-version', 'meta-misc', 'meta-vcs-identifier', 'meta-uuid', 'meta-nickname']; // prettier-ignore

/** The metadata of a meta.conf, a line each, with the quoting of a meta.conf. */
export function metadataLines(root: Section): ByteString {
  const known = new Map(root.spec.options.map((option) => [option.name, option]));
  return metadataOptions.map((name) => valueLine(known.get(name)!, root)).join('');
}

function valueLine(option: OptionSpec, section: Section): ByteString {
  if (option.name === 'funlist' || option.name === 'reqlist') return listLine(option.name, flatten(section.calls));
  const value = section.value(option.name);
  if (value === undefined || value === '' || value === option.default) return '';
  if (typeof value === 'object') return value.length === 1 && value[0] === 0 ? '' : listLine(option.name, value);
  return `${option.name}=${scalar(value)}\n`;
}

function listLine(name: string, values: readonly (ByteString | number)[]): ByteString {
  if (values.length === 0) return '';
  const items = values.map(scalar);
  return `${name}=${items.length === 1 ? items[0]! : `{${items.join(',')}}`}\n`;
}

/** `{count, name, arguments…}` for each call, one after the other. */
function flatten(calls: readonly Call[]): ByteString[] {
  return calls.flatMap(({ name, args }) => [String(args.length + 1), name, ...args]);
}

function scalar(value: Exclude<ConfigValue, object>): ByteString {
  if (typeof value !== 'string') return String(value);
  return /^[A-Za-z0-9_.]+$/.test(value) ? value : `"${value.replace(/["\\]/g, '\\$&')}"`;
}
