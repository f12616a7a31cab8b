import { fromByteString, type ByteString } from '../../config/source-text.ts';
import { FlotillaError } from '../../../error.ts';

/** What can go wrong in a FAT file system, in fwup's words: scripts and people know them. */
const texts = {
  damaged: 'Assertion failed (check for corruption)',
  'no-file': 'Could not find the file',
  'no-path': 'Could not find the path',
  'invalid-name': 'The path name format is invalid',
  denied: 'Access denied due to prohibited access or directory full',
  exists: 'Destination file already exists',
  'no-volume': 'There is no valid FAT volume',
  'format-aborted': 'f_mkfs() aborted due to a parameter error. Try adjusting the partition size.',
  locked: 'The operation is rejected according to the file sharing policy',
} as const;
export type FatFaultKind = keyof typeof texts;

/** Thrown inside fat/; `named` gives it the action and the path before it leaves. */
export class FatFault extends Error {
  override readonly name = 'FatFault';
  readonly kind: FatFaultKind;

  constructor(kind: FatFaultKind) {
    super(texts[kind]);
    this.kind = kind;
  }
}

/** The error that a person sees: `fat_mkdir(conf/sub): FATFS: Could not find the path`. */
export function fatError(context: string, path: ByteString, fault: FatFault): FlotillaError {
  const message = `${context}(${fromByteString(path)}): FATFS: ${fault.message}`;
  return new FlotillaError('failed', `firmware-fat-${fault.kind}`, message, { cause: fault });
}

/** Runs `operation`; a fault of the file system in it is told as one of `context(path)`. */
export async function named<T>(context: string, path: ByteString, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    throw error instanceof FatFault ? fatError(context, path, error) : error;
  }
}

export function isAbsent(error: unknown): boolean {
  return error instanceof FatFault && (error.kind === 'no-file' || error.kind === 'no-path');
}

/** Whether it is what `named` makes of a fault. */
export function isFatError(error: unknown): boolean {
  return error instanceof FlotillaError && error.cause instanceof FatFault;
}
