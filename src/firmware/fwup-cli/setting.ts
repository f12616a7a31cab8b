import { readArguments, type GivenOption } from './argument.ts';
import { decodeKeyArgument, readKeyArgument } from './key-argument.ts';
import type { FwupOutput } from './output.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export type FwupCommand = 'apply' | 'create' | 'list' | 'metadata' | 'gen-keys' | 'sign' | 'verify' | 'sparse-check';

/** Ends at once, before anything else on the command line is looked at. */
export type Immediate = 'version' | 'help' | 'usage' | 'detect' | 'chosen-card';

/** Everything that the command line says. */
export interface FwupSetting {
  command: FwupCommand | undefined;
  configPath: string;
  input: string | undefined;
  output: string | undefined;
  device: string | undefined;
  task: string | undefined;
  metadataKey: string | undefined;
  sparseCheckPath: string | undefined;
  sparseCheckSize: number;
  publicKeys: Buffer[];
  privateKey: Buffer | undefined;
  compressionLevel: number;
  numeric: boolean;
  quiet: boolean;
  verbose: boolean;
  progressLow: number;
  progressHigh: number;
  maxSizeBlocks: number;
  verifyWrites: boolean | undefined;
  minimizeWrites: boolean;
  enableTrim: boolean;
  unmount: boolean;
  unsafe: boolean;
  acceptCard: boolean;
  rebootParamPath: string | undefined;
  exitHandshake: boolean;
  /** Set as long as nothing but a bundle and what applies to it was named. */
  easy: boolean;
  operands: string[];
}

const maxPublicKeys = 10;

const commands: Record<string, FwupCommand> = { a: 'apply', c: 'create', g: 'gen-keys', l: 'list', m: 'metadata', S: 'sign', V: 'verify', 'sparse-check': 'sparse-check' }; // prettier-ignore
const immediate: Record<string, Immediate> = { version: 'version', h: 'help', D: 'detect', z: 'chosen-card' };
/** With one of these, a lone operand is not the bundle to apply. */
const notEasy = new Set(['a', 'c', 'f', 'g', 's', 'S', 'F', 'i', 'l', 'm', 'o', 'p', 'V', 'sparse-check', 'private-key']); // prettier-ignore

export function newSetting(): FwupSetting {
  return {
    command: undefined,
    configPath: 'fwupdate.conf',
    input: undefined,
    output: undefined,
    device: undefined,
    task: undefined,
    metadataKey: undefined,
    sparseCheckPath: undefined,
    sparseCheckSize: 4096,
    publicKeys: [],
    privateKey: undefined,
    compressionLevel: 9,
    numeric: false,
    quiet: false,
    verbose: false,
    progressLow: 0,
    progressHigh: 100,
    maxSizeBlocks: 0,
    verifyWrites: undefined,
    minimizeWrites: false,
    enableTrim: false,
    unmount: true,
    unsafe: false,
    acceptCard: false,
    rebootParamPath: undefined,
    exitHandshake: false,
    easy: true,
    operands: [],
  };
}

/**
 * Reads the command line in its order into `setting`, as far as it goes: a key that can't be read, or an option that
 * ends at once, leaves what stands behind it unread. `output` is told to frame as soon as that is asked for.
 */
export function readSetting(argv: readonly string[], setting: FwupSetting, output: FwupOutput): Immediate | undefined {
  if (argv.length === 0) return 'usage';
  for (const given of readArguments(argv)) {
    if (given.kind === 'wrong') {
      output.diagnostic(`fwup: ${given.message}\n`);
      return 'usage';
    }
    if (given.kind === 'operand') {
      setting.operands.push(given.value);
      continue;
    }
    const ends = immediate[given.name];
    if (ends) return ends;
    if (notEasy.has(given.name)) setting.easy = false;
    setting.command = commands[given.name] ?? setting.command;
    applyOption(given, setting, output);
  }
  return undefined;
}

function applyOption({ name, value }: GivenOption, setting: FwupSetting, output: FwupOutput): void {
  switch (name) {
    case 'd': setting.device = value; return;
    case 'f': setting.configPath = value; return;
    case 'i': setting.input = value; return;
    case 'o': setting.output = value; return;
    case 't': setting.task = value; return;
    case 'p': addPublicKey(setting, output, () => readKeyArgument(value, 'public')); return;
    case 'public-key': addPublicKey(setting, output, () => decodeKeyArgument(value, 'public')); return;
    case 's': setting.privateKey = readKeyArgument(value, 'private'); return;
    case 'private-key': setting.privateKey = decodeKeyArgument(value, 'private'); return;
    case 'F': output.framing = true; return;
    case 'n': setting.numeric = true; return;
    case 'q': setting.quiet = true; return;
    case 'v': setting.verbose = true; return;
    case 'u': setting.unmount = true; return;
    case 'U': setting.unmount = false; return;
    case 'y': setting.acceptCard = true; return;
    case 'metadata-key': setting.metadataKey = value; return;
    case 'sparse-check': setting.sparseCheckPath = value; return;
    case 'sparse-check-size': setting.sparseCheckSize = leadingNumber(value); return;
    case 'progress-low': setting.progressLow = leadingNumber(value); return;
    case 'progress-high': setting.progressHigh = leadingNumber(value); return;
    case 'max-size': setting.maxSizeBlocks = leadingNumber(value); return;
    case 'reboot-param-path': setting.rebootParamPath = value; return;
    case 'exit-handshake': setting.exitHandshake = true; return;
    case 'unsafe': setting.unsafe = true; return;
    case 'enable-trim': setting.enableTrim = true; return;
    case 'verify-writes': setting.verifyWrites = true; return;
    case 'no-verify-writes': setting.verifyWrites = false; return;
    case 'minimize-writes': setting.minimizeWrites = true; return;
    case 'no-minimize-writes': setting.minimizeWrites = false; return;
    default: if (/^[1-9]$/.test(name)) setting.compressionLevel = Number(name);
  } // prettier-ignore
}

function addPublicKey(setting: FwupSetting, output: FwupOutput, read: () => Buffer): void {
  if (setting.publicKeys.length < maxPublicKeys) setting.publicKeys.push(read());
  else output.info(`Ignoring public key since only ${maxPublicKeys} supported`);
}

/** strtol with base 0: as much of the text as is a number. */
function leadingNumber(text: string): number {
  const digits = /^\s*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)/.exec(text);
  if (!digits) return 0;
  const [, sign, number = '0'] = digits;
  const value = /^0[0-7]+$/.test(number) ? Number.parseInt(number, 8) : Number(number);
  return sign === '-' ? -value : value;
}
