/**
 * What a text or a number is worth in a comparison. One text may read several ways (`3` is a number and the start of a
 * version); which reading counts is decided by both sides.
 */
export interface Quantity {
  number?: number;
  version?: Version;
  /** Milliseconds since 1970. */
  instantMs?: number;
}

/** Semantic version 2.0.0; missing parts are zero. */
export interface Version {
  parts: [major: number, minor: number, patch: number];
  prerelease: string[];
  /** All three parts, or a `v` before: certainly a version, where `2.10` may be a number. */
  isCertain: boolean;
}

const numberText = /^[+-]?\d{1,30}(?:\.\d{1,30})?(?:e[+-]?\d{1,3})?$/iu;
const versionText =
  /^(v?)(0|[1-9]\d{0,14})(?:\.(0|[1-9]\d{0,14}))?(?:\.(0|[1-9]\d{0,14})(?:-([0-9a-z-]+(?:\.[0-9a-z-]+)*))?(?:\+[0-9a-z.-]+)?)?$/iu;
/** ISO 8601: a day, or a time of a day; without a zone it is UTC. Python and SQL write a blank for the T. */
const dateText =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:Z|([+-])(\d\d):?(\d\d))?)?$/iu;
/** No device writes a longer number, version or date. */
const maxCharacters = 128;

/** @param nowMs what the fact `now` stands for: a connected device is being seen while somebody asks */
export function readQuantity(value: unknown, nowMs?: number): Quantity {
  if (typeof value === 'number') return { number: value };
  if (value === 'now' && nowMs !== undefined) return { instantMs: nowMs };
  if (typeof value !== 'string' || value.length > maxCharacters) return {};
  const version = readVersion(value);
  const instantMs = readInstant(value);
  return {
    ...(numberText.test(value) ? { number: Number(value) } : {}),
    ...(version === undefined ? {} : { version }),
    ...(instantMs === undefined ? {} : { instantMs }),
  };
}

export function isQuantity({ number, version, instantMs }: Quantity): boolean {
  return number !== undefined || version !== undefined || instantMs !== undefined;
}

/**
 * Below, at or above zero as `left` is less than, equal to or more than `right`; undefined when they are not of one
 * kind. Versions are compared as such when at least one side is certainly a version, or when `asVersions` says so.
 */
export function compareQuantity(left: Quantity, right: Quantity, asVersions: boolean): number | undefined {
  if (left.version !== undefined && right.version !== undefined) {
    if (asVersions || left.version.isCertain || right.version.isCertain) {
      return compareVersion(left.version, right.version);
    }
  }
  if (left.number !== undefined && right.number !== undefined) return left.number - right.number;
  if (left.instantMs !== undefined && right.instantMs !== undefined) return left.instantMs - right.instantMs;
  return undefined;
}

function readVersion(text: string): Version | undefined {
  const match = versionText.exec(text);
  if (match === null) return undefined;
  const [, prefix, major, minor, patch, prerelease] = match;
  const identifiers = prerelease?.split('.') ?? [];
  if (identifiers.some((identifier) => /^0\d+$/u.test(identifier))) return undefined;
  return {
    parts: [Number(major), Number(minor ?? 0), Number(patch ?? 0)],
    prerelease: identifiers,
    isCertain: patch !== undefined || prefix !== '',
  };
}

function compareVersion(left: Version, right: Version): number {
  for (const [index, part] of left.parts.entries()) {
    const difference = part - (right.parts[index] ?? 0);
    if (difference !== 0) return difference;
  }
  // A release comes after its release candidates.
  if (left.prerelease.length === 0 || right.prerelease.length === 0) {
    return Math.sign(right.prerelease.length - left.prerelease.length);
  }
  for (const [index, identifier] of left.prerelease.entries()) {
    const other = right.prerelease[index];
    if (other === undefined) return 1;
    const difference = compareIdentifier(identifier, other);
    if (difference !== 0) return difference;
  }
  return left.prerelease.length - right.prerelease.length;
}

/** Numbers before words, numbers by value, words by ASCII. */
function compareIdentifier(left: string, right: string): number {
  const isNumber = /^\d+$/u;
  if (isNumber.test(left) !== isNumber.test(right)) return isNumber.test(left) ? -1 : 1;
  if (isNumber.test(left) && left.length !== right.length) return left.length - right.length;
  return left < right ? -1 : left > right ? 1 : 0;
}

function readInstant(text: string): number | undefined {
  const match = dateText.exec(text);
  if (match === null) return undefined;
  const [
    ,
    year,
    month,
    day,
    hour = '0',
    minute = '0',
    second = '0',
    fraction = '0',
    sign,
    zoneHour = '0',
    zoneMinute = '0',
  ] = match;
  const days = Date.UTC(Number(year), Number(month) - 1, Number(day));
  // `Date.UTC` takes 31 February for 3 March.
  const isDay = Number(month) >= 1 && new Date(days).getUTCMonth() === Number(month) - 1 && Number(day) >= 1;
  const isTime = Number(hour) <= 23 && Number(minute) <= 59 && Number(second) <= 60 && Number(zoneMinute) <= 59;
  if (!isDay || !isTime || Number(zoneHour) > 23) return undefined;
  const offsetMinutes = (sign === '-' ? -1 : 1) * (Number(zoneHour) * 60 + Number(zoneMinute));
  const seconds = Number(hour) * 3_600 + (Number(minute) - offsetMinutes) * 60 + Number(second);
  return days + seconds * 1_000 + Math.floor(Number(`0.${fraction}`) * 1_000);
}

const unitMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** `7d`, `1h30m`, `500ms`, in milliseconds. */
export function readDuration(text: string): number | undefined {
  if (text.length > maxCharacters || !/^(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+$/u.test(text)) return undefined;
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/gu)) {
    total += Number(count) * (unitMs[unit ?? ''] ?? 0);
  }
  return total;
}
