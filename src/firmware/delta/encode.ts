import { BlockIndex } from './block-index.ts';
import { encodeWindow } from './encode-window.ts';
import { matchSource } from './match-source.ts';

/** Magic of VCDIFF, and an indicator that says: no secondary compressor, no code table, no application header. */
const head = Buffer.from([0xd6, 0xc3, 0xc4, 0x00, 0x00]);
/** What whoever applies the patch holds in memory at a time. */
const windowBytes = 4 * 1024 * 1024;

/**
 * A VCDIFF patch (RFC 3284) that makes `target` of `source`, as xdelta3 and fwup read it: the default code table, no
 * secondary compression, an Adler-32 of each window.
 */
export async function* encodeDelta(source: Buffer, target: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void> {
  yield head;
  const index = new BlockIndex(source);
  let shift = 0;
  let windows = 0;
  for await (const window of inWindows(target)) {
    const matches = matchSource(index, window, shift);
    const last = matches.at(-1);
    shift = (last === undefined ? shift : last.from - last.at) + window.length;
    yield encodeWindow(window, matches);
    windows++;
  }
  if (windows === 0) yield encodeWindow(Buffer.alloc(0), []); // xdelta3 takes no patch without a window
}

async function* inWindows(target: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void> {
  const window = Buffer.allocUnsafe(windowBytes);
  let filled = 0;
  for await (const piece of target) {
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + window.length - filled);
      window.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < window.length) continue;
      yield window;
      filled = 0;
    }
  }
  if (filled > 0) yield window.subarray(0, filled);
}
