import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { type Document, isScalar, isSeq, parseDocument } from 'yaml';
import { FlotillaError } from '../../error.ts';
import { deviceLayout } from '../layout.ts';

/** What a configuration names beside itself, and where that goes. */
export interface Companion {
  from: string;
  to: string;
  kind: 'file' | 'folder';
}

export interface PlacedConfig {
  text: string;
  companions: Companion[];
}

/** A relative path means a file beside the configuration; installed, each has its place. */
const places: readonly { key: readonly string[]; to: string; fallback: string; kind?: Companion['kind'] }[] = [
  { key: ['identity', 'key'], to: join(deviceLayout.identity, 'device.key'), fallback: 'device.key' },
  { key: ['identity', 'certificate'], to: join(deviceLayout.identity, 'device.crt'), fallback: 'device.crt' },
  { key: ['identity', 'authority'], to: join(deviceLayout.identity, 'authority.crt'), fallback: 'authority.crt' },
  { key: ['state'], to: deviceLayout.state, fallback: 'state' },
  { key: ['events', 'socket'], to: join(deviceLayout.run, 'door.sock'), fallback: 'door.sock' },
  { key: ['events', 'schemas'], to: join(deviceLayout.configuration, 'schemas'), fallback: 'schemas', kind: 'folder' },
  {
    key: ['grains', 'file'],
    to: join(deviceLayout.configuration, 'grains.yaml'),
    fallback: 'grains.yaml',
    kind: 'file',
  },
  {
    key: ['grains', 'directory'],
    to: join(deviceLayout.configuration, 'grains.d'),
    fallback: 'grains.d',
    kind: 'folder',
  },
];

/** Paths of the machine itself: beside a configuration they would mean nothing. */
const absoluteOnly = [
  ['update', 'destination'],
  ['update', 'watchdog', 'file'],
  ['boot', 'slotFile'],
  ['boot', 'idFile'],
];

/** The configuration as it will stand in /etc/flotilla: every path absolute, comments and all else as they were. */
export function placeConfig(text: string, file: string): PlacedConfig {
  const document = parseDocument(text);
  const directory = dirname(resolve(file));
  const companions: Companion[] = [];
  for (const key of absoluteOnly) {
    const path = pathAt(document, key);
    if (path === undefined || isAbsolute(path)) continue;
    throw new FlotillaError('usage', 'install-path-relative', `${key.join('.')} is a path of the machine`, {
      seen: path,
      expected: 'an absolute path',
      position: { file, line: 1, column: 1 },
    });
  }
  for (const { key, to, fallback, kind } of places) {
    const path = pathAt(document, key) ?? fallback;
    if (isAbsolute(path)) continue;
    document.setIn(key, to);
    if (kind !== undefined) companions.push({ from: join(directory, path), to, kind });
  }
  const log = pathAt(document, ['log', 'file']);
  if (log !== undefined && !isAbsolute(log)) document.setIn(['log', 'file'], join(deviceLayout.log, basename(log)));
  for (const key of [
    ['update', 'keys'],
    ['selfUpdate', 'keys'],
  ])
    companions.push(...placeKeys(document, key, directory));
  return { text: document.toString({ lineWidth: 0 }), companions };
}

function placeKeys(document: Document, key: readonly string[], directory: string): Companion[] {
  const keys = document.getIn(key);
  if (!isSeq(keys)) return [];
  return keys.items.flatMap((item, index) => {
    const path = isScalar(item) ? item.value : item;
    if (typeof path !== 'string' || isAbsolute(path)) return [];
    const to = join(deviceLayout.configuration, 'keys', basename(path));
    document.setIn([...key, index], to);
    return [{ from: join(directory, path), to, kind: 'file' as const }];
  });
}

function pathAt(document: Document, key: readonly string[]): string | undefined {
  const value = document.getIn(key);
  return typeof value === 'string' ? value : undefined;
}
