/**
 * `patch.ts encode OLD NEW PATCH`, `patch.ts decode OLD PATCH NEW` and `patch.ts idle`: the builtin VCDIFF on files, as
 * processes to measure.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { decodeDelta } from '../../../src/firmware/delta/decode.ts';
import { encodeDelta } from '../../../src/firmware/delta/encode.ts';

const [verb, old, input, output] = process.argv.slice(2) as [string, string, string, string];
if (verb === 'encode') {
  const patch = encodeDelta(await readFile(old), createReadStream(input, { highWaterMark: 1 << 20 }));
  await pipeline(Readable.from(patch), createWriteStream(output));
} else if (verb === 'decode') {
  await using source = await open(old);
  const read = async (offset: number, into: Buffer): Promise<void> => {
    await source.read(into, 0, into.length, offset);
  };
  await pipeline(Readable.from(decodeDelta(createReadStream(input), { read })), createWriteStream(output));
}
