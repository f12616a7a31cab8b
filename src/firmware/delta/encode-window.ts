import { AddressCache, firstSameMode } from './address-cache.ts';
import { adler32 } from './adler.ts';
import { InstructionWriter } from './instruction-writer.ts';
import type { SourceMatch } from './match-source.ts';
import { TargetMatcher } from './match-target.ts';
import { SectionWriter } from './section-writer.ts';

const windowBit = { source: 1, adler32: 4 } as const;

/** One window of a patch (RFC 3284, section 4.2, with xdelta3's checksum) from what of it the source has. */
export function encodeWindow(target: Buffer, matches: readonly SourceMatch[]): Buffer {
  const segment = segmentOf(matches);
  const body = new WindowBody(target, segment.start, segment.length);
  const fresh = new TargetMatcher(target);
  let at = 0;
  for (const match of matches) {
    body.writeFresh(fresh, at, match.at);
    body.copy(match.from - segment.start, match.at, match.length);
    fresh.skim(match.at, match.at + match.length);
    at = match.at + match.length;
  }
  body.writeFresh(fresh, at, target.length);
  return body.assemble();
}

/** The part of the source that the copies of a window use. */
function segmentOf(matches: readonly SourceMatch[]): { start: number; length: number } {
  if (matches.length === 0) return { start: 0, length: 0 };
  let start = Infinity;
  let end = 0;
  for (const { from, length } of matches) {
    start = Math.min(start, from);
    end = Math.max(end, from + length);
  }
  return { start, length: end - start };
}

class WindowBody {
  readonly #target: Buffer;
  readonly #sourceStart: number;
  readonly #sourceLength: number;
  readonly #data = new SectionWriter();
  readonly #instructions = new InstructionWriter();
  readonly #addresses = new SectionWriter();
  readonly #cache = new AddressCache();

  constructor(target: Buffer, sourceStart: number, sourceLength: number) {
    this.#target = target;
    this.#sourceStart = sourceStart;
    this.#sourceLength = sourceLength;
  }

  writeFresh(matcher: TargetMatcher, start: number, end: number): void {
    for (const part of matcher.divide(start, end)) {
      const { kind, at, length } = part;
      if (kind === 'copy') this.copy(this.#sourceLength + part.from, at, length);
      else {
        this.#instructions.write({ operation: kind, size: length, mode: 0 });
        this.#data.append(this.#target.subarray(at, kind === 'run' ? at + 1 : at + length));
      }
    }
  }

  copy(address: number, at: number, length: number): void {
    const { mode, value } = this.#cache.write(address, this.#sourceLength + at);
    this.#instructions.write({ operation: 'copy', size: length, mode });
    if (mode < firstSameMode) this.#addresses.integer(value);
    else this.#addresses.byte(value);
  }

  assemble(): Buffer {
    this.#instructions.flush();
    const sections = [this.#data, this.#instructions.section, this.#addresses];
    const hasSource = this.#sourceLength > 0;
    const lengths = new SectionWriter();
    lengths.integer(this.#target.length);
    lengths.byte(0); // no section is compressed
    for (const { length } of sections) lengths.integer(length);
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32BE(adler32(this.#target));
    lengths.append(checksum);
    const head = new SectionWriter();
    head.byte(windowBit.adler32 | (hasSource ? windowBit.source : 0));
    if (hasSource) {
      head.integer(this.#sourceLength);
      head.integer(this.#sourceStart);
    }
    head.integer(sections.reduce((sum, { length }) => sum + length, lengths.length));
    return Buffer.concat([head.bytes, lengths.bytes, ...sections.map(({ bytes }) => bytes)]);
  }
}
