/** The hosts of `provision ssh --manifest`: where each is, who it becomes, how it lets us in. */
import {
  readFlag,
  readManifest,
  readMaps,
  type Cell,
  type ManifestRow,
  type ManifestShape,
  type Wrong,
} from '../manifest/index.ts';
import { isDeviceId } from '../pki/profile.ts';
import { isFingerprint } from './ssh/host-key.ts';
import { parseTarget } from './ssh/target.ts';

export interface HostEntry {
  host: string;
  port: number;
  user: string | undefined;
  deviceId: string;
  /** `SHA256:…` */
  hostKey?: string;
  /** `user@host:port`, checked. */
  jump?: string;
  identityFile?: string;
  passwordFile?: string;
  sudoPasswordFile?: string;
  pending: boolean;
  tags: Record<string, string>;
  grains: Record<string, string>;
}

const shape: ManifestShape = {
  columns: ['host', 'id', 'user', 'port', 'hostKey', 'jump', 'identity', 'passwordFile', 'sudoPasswordFile', 'pending'],
  required: 'host',
  unique: ['id'],
  maxRows: 10_000,
};

/** @throws ConfigError with every problem of the file, before anything is connected to */
export function parseProvisionManifest(source: string, file: string): HostEntry[] {
  const places = new Map<string, number>();
  return readManifest(source, file, shape, (row, wrong) => {
    const entry = readHost(row, wrong);
    const cell = row.get('host');
    const place = `${entry.host}:${entry.port}${entry.jump === undefined ? '' : ` through ${entry.jump}`}`;
    const first = places.get(place);
    if (first !== undefined && cell !== undefined) {
      wrong(cell, 'host', `this host stands here twice, first in line ${first}`, 'each host once');
    } else if (cell !== undefined) places.set(place, cell.line);
    return entry;
  });
}

function readHost(row: ManifestRow, wrong: Wrong): HostEntry {
  const text = (column: string): string => row.get(column)?.text ?? '';
  const cell = row.get('host');
  const target = cell === undefined ? undefined : parseTarget(cell.text);
  if (cell !== undefined && target === undefined)
    wrong(cell, 'host', 'this is no host', 'HOST, USER@HOST or HOST:PORT');
  const entry: HostEntry = {
    host: target?.host ?? '',
    port: readPort(row.get('port'), wrong) ?? target?.port ?? 22,
    user: text('user') || target?.user,
    deviceId: readId(row, target?.host, wrong),
    pending: row.has('pending') && readFlag(row.get('pending')!, 'pending', wrong),
    ...readMaps(row, wrong),
  };
  const pin = row.get('hostKey');
  if (pin !== undefined && pin.text !== '') {
    if (isFingerprint(pin.text)) entry.hostKey = pin.text;
    else wrong(pin, 'hostKey', 'this is no fingerprint of a host key', 'SHA256:…, as ssh-keygen -lf prints it');
  }
  const jump = row.get('jump');
  if (jump !== undefined && jump.text !== '') {
    if (parseTarget(jump.text) === undefined) wrong(jump, 'jump', 'this is no host', 'USER@HOST:PORT');
    else entry.jump = jump.text;
  }
  const files = [
    ['identity', 'identityFile'],
    ['passwordFile', 'passwordFile'],
    ['sudoPasswordFile', 'sudoPasswordFile'],
  ] as const;
  for (const [column, field] of files) if (text(column) !== '') entry[field] = text(column);
  return entry;
}

/** The host's own name where none is given. */
function readId(row: ManifestRow, host: string | undefined, wrong: Wrong): string {
  const given = row.get('id');
  const id = given?.text || (host ?? '').split('.')[0]!.toLowerCase();
  if (given?.text ? isDeviceId(id) : host === undefined || (isDeviceId(id) && !/^\d+$/.test(id))) return id;
  const cell = given?.text ? given : row.get('host');
  if (cell !== undefined)
    wrong(cell, 'id', 'this is no device id', 'id: one to 63 of a-z 0-9 . _ -, a letter or digit first');
  return '';
}

function readPort(cell: Cell | undefined, wrong: Wrong): number | undefined {
  if (cell === undefined || cell.text === '') return undefined;
  const port = Number(cell.text);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  wrong(cell, 'port', 'this is no port', 'a whole number from 1 to 65535');
  return undefined;
}
