import { parseBlockNumber } from '../../config/call-spec.ts';
import type { ByteString } from '../../config/source-text.ts';
import { FatFault } from './fat-fault.ts';
import type { FileReader } from './file-reader.ts';
import type { FatVolumes } from './volume-set.ts';

/** fwup reads so much at a time and finds no longer text. */
const maxTextBytes = 4095;

/** require-fat-file-exists and require-fat-file-match. Whatever is wrong with the file system: not met. */
export async function fatRequirementHolds(
  name: 'require-fat-file-exists' | 'require-fat-file-match',
  args: readonly ByteString[],
  fat: FatVolumes,
): Promise<boolean> {
  const [blockText = '', path = '', text = ''] = args;
  const block = parseBlockNumber(blockText);
  if (block === undefined) return false;
  try {
    const file = await fat.at(block).open(path);
    try {
      return name === 'require-fat-file-exists' || (await contains(file, Buffer.from(text, 'latin1')));
    } finally {
      file.close();
    }
  } catch (error) {
    if (error instanceof FatFault) return false;
    throw error;
  }
}

async function contains(file: FileReader, text: Buffer): Promise<boolean> {
  if (text.length > maxTextBytes) return false;
  if (text.length === 0) return true;
  let tail: Buffer = Buffer.alloc(0);
  for await (const chunk of file.chunks()) {
    const window = Buffer.concat([tail, chunk]);
    if (window.includes(text)) return true;
    tail = window.subarray(Math.max(0, window.length - text.length + 1));
  }
  return false;
}
