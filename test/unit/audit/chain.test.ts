import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  ChainVerifier,
  auditFields,
  digestDevices,
  firstPrev,
  formatHead,
  hashEntry,
  listDevices,
  maxListedDevices,
  parseCheckpoint,
  parseHead,
  type AuditField,
  type RawEntry,
} from '../../../src/audit/index.ts';
import { boundDetail } from '../../../src/coordinator/audit/write-audit.ts';

function chain(count: number, over: (seq: number) => Partial<Record<AuditField, string>> = () => ({})): RawEntry[] {
  const rows: RawEntry[] = [];
  for (let seq = 1; seq <= count; seq += 1) {
    const fields = Object.fromEntries(auditFields.map((field) => [field, `${field} ${seq}`]));
    const prev = String(rows.at(-1)?.hash ?? firstPrev);
    const entry = { ...(fields as Record<AuditField, string>), ...over(seq), seq: String(seq), prev };
    rows.push({ ...entry, hash: hashEntry(entry) });
  }
  return rows;
}

function verify(rows: readonly RawEntry[]) {
  const verifier = new ChainVerifier([]);
  for (const row of rows) verifier.push(row);
  return verifier.end();
}

describe('the hash of a row', () => {
  it('is what docs/guide/audit.md says, written here a second time', () => {
    const [row] = chain(1, () => ({ subject: 'grün', detail: '{"a":1}' }));
    const texts = [
      'flotilla-audit/1',
      '1',
      'atMs 1',
      'actor 1',
      'role 1',
      'from 1',
      'action 1',
      'grün',
      'devices 1',
      'result 1',
      'code 1',
      '{"a":1}',
      '0'.repeat(64),
    ];
    const bytes = texts.flatMap((text) => {
      const utf8 = [...Buffer.from(text)];
      return [0, 0, 0, utf8.length, ...utf8];
    });
    expect(row!.hash).toBe(createHash('sha256').update(Uint8Array.from(bytes)).digest('hex'));
  });

  it('tells apart rows whose texts were shifted from one field into the next', () => {
    const one = chain(1, () => ({ actor: 'ab', role: 'c' }))[0]!;
    const other = chain(1, () => ({ actor: 'a', role: 'bc' }))[0]!;
    expect(one.hash).not.toBe(other.hash);
  });
});

describe('a chain', () => {
  it('says how far it goes', () => {
    const rows = chain(5);
    expect(verify(rows)).toMatchObject({ rows: 5, problems: [], head: { seq: 5, hash: rows[4]!.hash } });
  });

  it('names a row that was dropped although the others were renumbered', () => {
    const rows = chain(9);
    const closed = [...rows.slice(0, 3), ...rows.slice(4).map((row, index) => ({ ...row, seq: String(index + 4) }))];
    const { problems } = verify(closed);
    expect(problems[0]).toMatchObject({ kind: 'moved', seq: 4, was: 5 });
    expect(problems).toHaveLength(5);
  });

  it('names a row that was put in between, with the others moved', () => {
    const rows = chain(6);
    const entry = { ...rows[2]!, actor: 'mallory', seq: '3' };
    const forged = { ...entry, hash: hashEntry(entry) };
    const { problems } = verify([
      ...rows.slice(0, 2),
      forged,
      ...rows.slice(2).map((row, at) => ({ ...row, seq: String(at + 4) })),
    ]);
    expect(problems[0]).toMatchObject({ kind: 'moved', seq: 4, was: 3 });
  });

  it('names a row that was replaced by another whole one', () => {
    const rows = chain(6);
    const entry = { ...rows[2]!, actor: 'mallory' };
    const forged = { ...entry, hash: hashEntry(entry) };
    expect(verify(rows.with(2, forged)).problems).toEqual([
      expect.objectContaining({ kind: 'unlinked', seq: 4, message: expect.stringContaining('row 3') }),
    ]);
  });

  it('counts all that is wrong and keeps the first hundred places', () => {
    const report = verify(chain(1_000).map((row) => ({ ...row, actor: 'mallory' })));
    expect(report.problemCount).toBe(1_000);
    expect(report.problems).toHaveLength(100);
    expect(report.problems[0]).toMatchObject({ kind: 'changed', seq: 1 });
  });

  it('takes numbers that are none for what they are', () => {
    const rows = chain(4);
    for (const seq of ['-5', '0', '9223372036854775807', '3.5', 'NaN']) {
      const { problemCount } = verify(rows.with(2, { ...rows[2]!, seq }));
      expect(problemCount, seq).toBeGreaterThan(0);
    }
  });
});

describe('what a row holds', () => {
  it('lists devices up to a bound, then their number and a digest of all', () => {
    const ids = Array.from({ length: maxListedDevices + 50 }, (_, index) => `gw-${index}`);
    const listed = listDevices(ids.toReversed());
    const sorted = ids.toSorted();
    expect(listed).toEqual({
      count: ids.length,
      ids: sorted.slice(0, maxListedDevices),
      sha256: createHash('sha256')
        .update(sorted.map((id) => `${id}\n`).join(''))
        .digest('hex'),
    });
    expect(listed.sha256).toBe(digestDevices(sorted));
    expect(listDevices(['b', 'a', 'b'])).toEqual({ count: 2, ids: ['a', 'b'] });
  });

  it('is bounded: a large member gives way to what proves it', () => {
    const document = { text: 'x'.repeat(20_000) };
    const bounded = boundDetail({ selector: 'gw-*', document }) as { document: { sha256: string } };
    const sha256 = createHash('sha256').update(JSON.stringify(document)).digest('hex');
    expect(bounded).toEqual({ selector: 'gw-*', document: { cut: true, bytes: 20_011, sha256 } });
    const wide = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`k${index}`, index]));
    expect(boundDetail(wide)).toMatchObject({ cut: true });
    expect(boundDetail(undefined)).toBeUndefined();
  });
});

describe('a head', () => {
  it('is read as it is printed, and nothing else is', () => {
    const head = { seq: 41, hash: 'ab'.repeat(32) };
    expect(parseHead(` ${formatHead(head)}\n`)).toEqual(head);
    for (const text of ['', '41', `41:${'ab'.repeat(31)}`, `-1:${head.hash}`, `41:${head.hash.toUpperCase()}`]) {
      expect(parseHead(text), text).toBeUndefined();
    }
  });

  it('that is signed is refused when any field has another shape', () => {
    const good = {
      version: 1,
      fleetId: 'f',
      instanceId: 'i',
      seq: 1,
      hash: 'a'.repeat(64),
      atMs: 1,
      key: 'b'.repeat(64),
    };
    const signed = { ...good, signature: 'eA==' };
    expect(parseCheckpoint(JSON.stringify(signed))).toEqual(signed);
    for (const field of Object.keys(signed)) {
      for (const value of [null, {}, -1, 1.5, 'x\ny', undefined]) {
        expect(
          parseCheckpoint(JSON.stringify({ ...signed, [field]: value })),
          `${field}=${JSON.stringify(value)}`,
        ).toSatisfy((parsed: unknown) => parsed === undefined || (field === 'signature' && typeof value === 'string'));
      }
    }
    for (const text of ['', 'null', '[]', '{', '"x"']) expect(parseCheckpoint(text)).toBeUndefined();
  });
});
