import { FlotillaError, type Position } from '../../error.ts';
import { nearest } from '../../nearest.ts';
import type { GroupSource, Target } from '../../selector/index.ts';
import { isGroupName } from '../../selector/index.ts';
import { readInput } from '../read-input.ts';
import { readStdin } from '../read-stdin.ts';

/** An inventory in a file: devices, and selectors with names. */
export interface FleetFile {
  devices: Target[];
  groups: GroupSource;
}

const maxBytes = 512 * 1024 * 1024;
const shape = '{"devices": [{"id": …, "grains": {…}, "tags": {…}}], "groups": {"name": "selector"}}';

/** JSON, or NDJSON of devices. @param path `-` is standard input */
export async function readFleetFile(path: string): Promise<FleetFile> {
  const text = path === '-' ? await readStdin('a fleet') : (await readInput(path, 'a fleet', maxBytes)).toString();
  return parseFleet(text, path === '-' ? 'stdin' : path);
}

export function parseFleet(text: string, file: string): FleetFile {
  const lines = text.split('\n');
  // A document over several lines cannot be NDJSON: its first line is not whole.
  if (lines.filter((line) => line.trim() !== '').length > 1 && isWholeObject(lines)) return parseLines(lines, file);
  const document = parseJson(text, { file, line: 1, column: 1 });
  if (Array.isArray(document)) return fleetOf(document, {}, new Place(file));
  if (!isObject(document)) throw malformed(new Place(file), 'is no fleet', document);
  if ('id' in document && !('devices' in document)) return fleetOf([document], {}, new Place(file));
  const { devices, groups = {} } = document;
  refuseUnknown(document, ['devices', 'groups'], new Place(file));
  if (!Array.isArray(devices)) throw malformed(new Place(file, 'devices'), 'is not a list', devices);
  return fleetOf(devices, groups, new Place(file, 'devices'));
}

/** Where in a file something stands: `devices[3].grains`, or its line where each device has its own. */
class Place {
  readonly file: string;
  readonly path: string;
  readonly line: number | undefined;

  constructor(file: string, path = '', line?: number) {
    this.file = file;
    this.path = path;
    this.line = line;
  }

  at(key: string | number): Place {
    const step = typeof key === 'number' ? `[${key}]` : this.path === '' ? key : `.${key}`;
    return new Place(this.file, this.path + step, this.line);
  }
}

function isWholeObject(lines: readonly string[]): boolean {
  const first = lines.find((line) => line.trim() !== '')?.trim() ?? '';
  return first.startsWith('{') && first.endsWith('}');
}

function parseLines(lines: readonly string[], file: string): FleetFile {
  const devices: Target[] = [];
  const seen = new Set<string>();
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue;
    const position = { file, line: index + 1, column: 1 };
    devices.push(deviceOf(parseJson(line, position), new Place(file, '', index + 1), seen));
  }
  return { devices, groups: groupsOf({}, new Place(file)) };
}

function fleetOf(devices: readonly unknown[], groups: unknown, place: Place): FleetFile {
  const seen = new Set<string>();
  return {
    devices: devices.map((device, index) => deviceOf(device, place.at(index), seen)),
    groups: groupsOf(groups, new Place(place.file, 'groups')),
  };
}

/** Other fields are left alone, so that `flotilla device list --json` is a fleet; a slip in these three is not one. */
function deviceOf(device: unknown, place: Place, seen: Set<string>): Target {
  if (!isObject(device)) throw malformed(place, 'is no device', device);
  for (const key of Object.keys(device)) {
    const meant = key in { id: 1, grains: 1, tags: 1 } ? undefined : nearest(key, ['grains', 'tags']);
    if (meant !== undefined && !(meant in device)) throw unknownKey(place.at(key), key, meant);
  }
  const { id, grains = {}, tags = {} } = device;
  if (typeof id !== 'string' || id === '') throw malformed(place.at('id'), 'is no id', id);
  if (!isObject(grains)) throw malformed(place.at('grains'), 'is no object', grains);
  if (!isObject(tags)) throw malformed(place.at('tags'), 'is no object', tags);
  if (seen.has(id)) throw malformed(place.at('id'), 'stands twice', id);
  seen.add(id);
  return { id, grains, tags };
}

/** Read when an expression names them: one that is malformed spoils those expressions only. */
function groupsOf(groups: unknown, place: Place): GroupSource {
  if (!isObject(groups)) throw malformed(place, 'is no object', groups);
  const known = new Map<string, string>();
  for (const [name, expression] of Object.entries(groups)) {
    if (!isGroupName(name)) throw malformed(place.at(name), 'cannot be the name of a group', name);
    if (typeof expression !== 'string') throw malformed(place.at(name), 'is no selector', expression);
    known.set(name, expression);
  }
  return { expression: (name) => known.get(name), names: () => known.keys() };
}

function refuseUnknown(object: Record<string, unknown>, known: readonly string[], place: Place): void {
  const key = Object.keys(object).find((name) => !known.includes(name));
  if (key !== undefined) throw unknownKey(place.at(key), key, nearest(key, known) ?? known.join(', '));
}

function unknownKey(place: Place, key: string, meant: string): FlotillaError {
  return new FlotillaError('usage', 'fleet-malformed', `${nameOf(place)} is not known`, {
    seen: key,
    expected: meant,
    ...positionOf(place),
  });
}

function malformed(place: Place, what: string, seen: unknown): FlotillaError {
  const text = JSON.stringify(seen) ?? 'nothing';
  return new FlotillaError('usage', 'fleet-malformed', `${nameOf(place)} ${what}`, {
    seen: text.length > 80 ? `${text.slice(0, 80)}…` : text,
    expected: shape,
    ...positionOf(place),
  });
}

function nameOf({ file, path, line }: Place): string {
  if (path !== '') return path;
  return line === undefined ? file : `line ${line}`;
}

/** A path without a line stands in a file of one document: its name says enough. */
function positionOf({ file, line }: Place): { position: Position } {
  return { position: { file, line: line ?? 1, column: 1 } };
}

function parseJson(text: string, start: Position): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    const { message } = cause as Error;
    throw new FlotillaError('usage', 'fleet-malformed', 'this is not JSON', {
      seen: message,
      expected: `${shape}, or one device a line`,
      position: locate(text, message, start),
      cause,
    });
  }
}

/** V8 says where; without that, the start. */
function locate(text: string, message: string, start: Position): Position {
  const offset = /at position (\d+)/u.exec(message)?.[1];
  const before = text.slice(
    0,
    offset === undefined ? (message.includes('end of JSON') ? undefined : 0) : Number(offset),
  );
  const lines = before.split('\n');
  return { ...start, line: start.line + lines.length - 1, column: (lines.at(-1) ?? '').length + 1 };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
