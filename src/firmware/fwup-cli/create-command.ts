import { closeSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import { FlotillaError } from '../../error.ts';
import { writeFileAtomically } from '../archive/atomic-file.ts';
import { compileBundle, packBundle } from '../archive/build.ts';
import { dataRanges } from '../archive/file-hole.ts';
import { generateKeyPair } from '../archive/key.ts';
import { resignLikeFwup } from '../archive/sign.ts';
import { fromByteString, type ByteString } from '../config/source-text.ts';
import { write, type FwupOutput } from './output.ts';
import type { Environment, FwupSetting } from './setting.ts';
import { systemErrorText } from '../config/system-error.ts';

/** libarchive writes to a pipe in blocks of this size, and fills the last one with zeros. */
const pipeBlockBytes = 10_240;

/** `-c`: builds a bundle. */
export async function createCommand(setting: FwupSetting, output: FwupOutput, environment: Environment): Promise<void> {
  const { configPath, privateKey, compressionLevel } = setting;
  const text = configPath === '-' ? { configText: readFileSync(0, 'latin1') } : {};
  const bundle = await compileBundle({
    configPath,
    ...text,
    variables: environment,
    workingDirectory: process.cwd(),
    ...(setting.verbose ? { onDefine: (name, value, kept) => sayDefinition(name, value, kept, output) } : {}),
  });
  const mtimeSeconds = creationTime(environment);
  await writeBundle(setting.output, (sink) => packBundle(bundle, { privateKey, mtimeSeconds, compressionLevel }, sink));
}

/** With -v, as fwup; it also prints the whole environment there, which is left out: logs would keep its secrets. */
function sayDefinition(name: ByteString, value: ByteString, kept: ByteString | undefined, output: FwupOutput): void {
  const shown = fromByteString(name);
  output.info(`Defining '${shown}'='${fromByteString(value)}'`);
  if (kept !== undefined) output.info(`Not defining '${shown}'. Already set to '${fromByteString(kept)}'`);
}

/** `-S`: signs a bundle, or signs it again. */
export async function signCommand(setting: FwupSetting, _output: FwupOutput, environment: Environment): Promise<void> {
  const { input, output, privateKey } = setting;
  if (input === undefined) throw wrong('Specify an input firmware file');
  if (output === undefined) throw wrong('Specify an output firmware file');
  if (privateKey === undefined) throw wrong('Specify a signing key');
  await writeBundle(output, (sink) =>
    resignLikeFwup(input, { privateKey, mtimeSeconds: creationTime(environment) }, sink).catch((error: unknown) => {
      const isMisplaced = error instanceof FlotillaError && error.code === 'firmware-metadata-missing';
      throw isMisplaced ? wrong('Invalid firmware. meta.conf must be at the beginning of archive') : error;
    }),
  );
}

/** `-g`: a key pair, never over another one. */
export async function genKeysCommand({ output: prefix = 'fwup-key' }: FwupSetting, output: FwupOutput): Promise<void> {
  const pair = generateKeyPair();
  const publicPath = `${prefix}.pub`;
  const privatePath = `${prefix}.priv`;
  writeNewFile(publicPath, pair.publicKey);
  writeNewFile(privatePath, pair.privateKey);
  const names = { public: basename(publicPath), private: basename(privatePath) };
  output.result(
    `New keys to sign firmware with were saved to '${names.public}' and '${names.private}'\n` +
      `Distribute '${names.public}' to the devices: by it they tell who signed an update.\n` +
      `Keep '${names.private}' secret.\n`,
  );
}

/** `--sparse-check`: writes behind a hole and asks whether it is one. */
export async function sparseCheckCommand(
  { sparseCheckPath: path = '', sparseCheckSize: size }: FwupSetting,
  output: FwupOutput,
): Promise<void> {
  try {
    const descriptor = openSync(path, 'w+', 0o600);
    try {
      writeSync(descriptor, Buffer.from('hole'), 0, 4, size);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    throw wrong(`Couldn't create sparse test file: ${path}`);
  }
  try {
    const [first] = await dataRanges(path, size + 4);
    if (first?.offset !== size) throw wrong(`Hole of ${size} bytes not created on filesystem`);
  } finally {
    unlinkSync(path);
  }
  output.result('Sparse files supported\n');
}

/** To a file whole or not at all, else to standard output. */
async function writeBundle(
  path: string | undefined,
  fill: (sink: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<void> {
  if (path !== undefined) return writeFileAtomically(path, fill, { synced: false });
  let total = 0;
  await fill(async (bytes) => {
    total += bytes.length;
    write(1, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  });
  write(1, Buffer.alloc((pipeBlockBytes - (total % pipeBlockBytes)) % pipeBlockBytes));
}

/** SOURCE_DATE_EPOCH, else NOW as fwup's scripts set it, else the clock. Seconds. */
function creationTime({ SOURCE_DATE_EPOCH: epoch, NOW: now }: Environment): number {
  if (epoch !== undefined && /^\d+$/.test(epoch)) return Number(epoch);
  if (now !== undefined && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(now) && !Number.isNaN(Date.parse(now))) {
    return Date.parse(now) / 1000;
  }
  return Math.floor(Date.now() / 1000);
}

function writeNewFile(path: string, text: string): void {
  try {
    const descriptor = openSync(path, 'wx', 0o600);
    try {
      writeSync(descriptor, text);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw wrong(`Couldn't create '${path}': ${systemErrorText(error)}`);
  }
}

function wrong(message: string): FlotillaError {
  return new FlotillaError('usage', 'firmware-command-line', message);
}
