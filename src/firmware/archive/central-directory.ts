import type { ByteReader } from './byte-reader.ts';
import { malformed } from './malformed.ts';
import { centralHeaderBytes, extraId, findExtra, signature } from './zip-format.ts';
import type { ReadMember } from './zip-reader.ts';

/**
 * Reads what follows the members. fwup never looks there, other ZIP tools look only there: an archive that says one
 * thing to each is refused. Absent is fine, and so are bytes after the end record, unless they hold another one.
 */
export async function checkCentralDirectory(reader: ByteReader, members: readonly ReadMember[]): Promise<void> {
  const start = reader.offset;
  if ((await reader.peek(4)).length === 0) return;
  let count = 0;
  for (; (await nextSignature(reader)) === signature.central; count++) await checkEntry(reader, members[count]);
  if (count !== members.length) throw disagreement(`${count} entries`, `${members.length} entries`);
  const size = reader.offset - start;
  if ((await nextSignature(reader)) === signature.end64) {
    const length = (await reader.exactly(12, 'an end record')).readBigUInt64LE(4);
    if (length > 1024n) throw malformed('an end record of absurd size');
    await reader.exactly(Number(length), 'an end record');
  }
  if ((await nextSignature(reader)) === signature.locator64) await reader.exactly(20, 'an end locator');
  if ((await nextSignature(reader)) !== signature.end) throw malformed('the central directory has no end record');
  const end = await reader.exactly(22, 'the end record');
  const said = { count: end.readUInt16LE(10), size: end.readUInt32LE(12), start: end.readUInt32LE(16) };
  if (said.count !== Math.min(count, 0xffff)) throw disagreement(`${said.count} entries`, `${count} entries`);
  if (said.size !== clip(size) || said.start !== clip(start)) throw disagreement('another place of the directory');
  await reader.exactly(end.readUInt16LE(20), 'the archive comment');
  await checkTail(reader);
}

async function nextSignature(reader: ByteReader): Promise<number> {
  const mark = await reader.peek(4);
  return mark.length === 4 ? mark.readUInt32LE(0) : 0;
}

async function checkEntry(reader: ByteReader, member: ReadMember | undefined): Promise<void> {
  const header = await reader.exactly(centralHeaderBytes, 'a central header');
  const name = (await reader.exactly(header.readUInt16LE(28), 'a name')).toString('latin1');
  const extra = await reader.exactly(header.readUInt16LE(30), 'an extra field');
  await reader.exactly(header.readUInt16LE(32), 'a comment');
  if (!member || name !== member.name) throw disagreement(JSON.stringify(name), member?.name);
  const large = findExtra(extra, extraId.zip64);
  let at = 0;
  const field = (offset: number): number => {
    const value = header.readUInt32LE(offset);
    if (value !== 0xffff_ffff || !large || large.length < at + 8) return value;
    at += 8;
    return Number(large.readBigUInt64LE(at - 8));
  };
  const size = field(24); // zip64 values stand in this order: size, compressed size, offset
  const compressed = field(20);
  const offset = field(42);
  const agrees =
    header.readUInt16LE(10) === member.method &&
    header.readUInt32LE(16) === member.actualCrc &&
    size === member.actualSize &&
    compressed === member.actualCompressed &&
    offset === member.localOffset;
  if (!agrees) throw disagreement(`another entry for ${name}`);
}

async function checkTail(reader: ByteReader): Promise<void> {
  const mark = Buffer.alloc(4);
  mark.writeUInt32LE(signature.end);
  let carry: Buffer = Buffer.alloc(0);
  for (let chunk = await reader.some(1 << 18); chunk; chunk = await reader.some(1 << 18)) {
    const window = Buffer.concat([carry, chunk]);
    if (window.includes(mark)) throw malformed('a second archive behind the first');
    carry = Buffer.from(window.subarray(-3));
  }
}

function disagreement(seen: string, expected?: string) {
  const wanted = expected === undefined ? '' : `, the members are ${expected}`;
  return malformed('the central directory disagrees with the members', `${seen}${wanted}`);
}

const clip = (value: number): number => Math.min(value, 0xffff_ffff);
