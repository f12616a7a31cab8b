/**
 * The audit log of a real coordinator, tampered with by another hand 200 times: always found, and the place named. The
 * hand has the database and not the coordinator's key; where it also takes the signed heads, only a kept head helps.
 */
import { X509Certificate } from 'node:crypto';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditFields, hashEntry, parseHead, type AuditField, type AuditHead } from '../../../src/audit/index.ts';
import { verifyDatabase } from '../../../src/cli/audit/verify-database.ts';
import type { AuditVerification } from '../../../src/client/contract/index.ts';
import type { FlotillaError } from '../../../src/error.ts';
import { Dice } from '../../soak/dice.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { startCore } from '../coordinator/core-bench.ts';
import { enroll } from '../coordinator/enroll.ts';

const files = ['flotilla.db', 'audit-heads.ndjson'];
const columnOf = (field: AuditField): string => ({ atMs: 'at_ms', from: 'origin' })[field as 'atMs'] ?? field;

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
let original = '';
let signer: X509Certificate;
let rows = 0;

beforeAll(async () => {
  scratch = await temporaryDirectory();
  const core = await startCore(scratch.path);
  await enroll(core.client, 'gw-1');
  await enroll(core.client, 'gw-2');
  for (let round = 0; round < 20; round += 1) {
    await core.client.tagDevices({ selector: 'gw-*', set: { round: String(round) }, unset: [] });
    if (round % 7 === 0) await core.client.auditHead(); // signed in between, too
  }
  await core.client.acceptDevices('nobody').catch(() => undefined); // a refusal is a row as well
  await core.client.startJob({ selector: 'gw-1', action: { kind: 'command', argv: ['true', 'ü'] } });
  original = core.config.data;
  signer = core.signer;
  await core.coordinator.stop();
  const whole = await verify(original);
  expect(whole.problems).toEqual([]);
  rows = whole.rows;
  expect(rows).toBeGreaterThan(25);
}, 60_000);
afterAll(() => scratch?.[Symbol.asyncDispose]());

const verify = (data: string, kept?: AuditHead, by = signer): Promise<AuditVerification> =>
  verifyDatabase({ path: join(data, 'flotilla.db'), signers: [by], kept });

let copies = 0;
/** A copy that `tamper` has been at, with SQLite and no code of ours. */
async function tampered(tamper: (database: DatabaseSync, data: string) => void): Promise<string> {
  copies += 1;
  const data = join(scratch.path, `copy-${copies}`);
  await mkdir(data);
  for (const file of files) await copyFile(join(original, file), join(data, file));
  const database = new DatabaseSync(join(data, 'flotilla.db'));
  tamper(database, data);
  database.close();
  return data;
}

const set = (database: DatabaseSync, seq: number, column: string, value: SQLInputValue) =>
  database.prepare(`UPDATE audit SET ${column} = ? WHERE seq = ?`).run(value, seq);

type Row = Record<string, string | number>;
const rowOf = (database: DatabaseSync, seq: number): Row =>
  database.prepare('SELECT * FROM audit WHERE seq = ?').get(seq) as Row;

/** Writes `seq` and all behind it so that the chain is whole in itself again, as one can who has no key. */
function rechain(database: DatabaseSync, from: number): void {
  let prev = from === 1 ? '0'.repeat(64) : String(rowOf(database, from - 1)['hash']);
  const all = database.prepare('SELECT * FROM audit WHERE seq >= ? ORDER BY seq').all(from) as Row[];
  for (const row of all) {
    const entry = Object.fromEntries(auditFields.map((field) => [field, String(row[columnOf(field)])]));
    const hash = hashEntry({ ...(entry as Record<AuditField, string>), prev });
    database.prepare('UPDATE audit SET prev = ?, hash = ? WHERE seq = ?').run(prev, hash, row['seq']!);
    prev = hash;
  }
}

describe('an audit log that another hand was at', () => {
  const places = new Dice(6);
  const rounds = Array.from({ length: 200 }, (_, round) => ({
    round,
    kind: (['flip', 'drop', 'swap', 'truncate'] as const)[round % 4]!,
  }));

  it.each(rounds)('is found out: $kind, round $round', async ({ kind }) => {
    if (kind === 'flip') {
      const seq = 1 + places.below(rows);
      const field = [...auditFields.filter((name) => name !== 'seq'), 'hash' as const][
        places.below(auditFields.length)
      ]!;
      const column = field === 'hash' ? 'hash' : columnOf(field);
      const data = await tampered((database) => {
        const before = rowOf(database, seq)[column]!;
        if (typeof before === 'number') return set(database, seq, column, before ^ 1 || before + 1);
        const bytes = Buffer.from(before === '' ? ' ' : before);
        bytes[places.below(bytes.length)]! ^= 1 << places.below(8);
        // As SQLite would show it after one bit of the disk was turned: it may be no UTF-8 any more.
        return database.prepare(`UPDATE audit SET ${column} = CAST(? AS TEXT) WHERE seq = ?`).run(bytes, seq);
      });
      const found = await verify(data);
      expect(found.problems.map((problem) => [problem.kind, problem.seq])).toContainEqual(['changed', seq]);
      expect(found.problems.every((problem) => Math.abs(problem.seq - seq) <= 1 || problem.kind === 'rewritten')).toBe(
        true,
      );
    } else if (kind === 'drop') {
      const seq = 1 + places.below(rows - 1);
      const count = 1 + places.below(Math.min(3, rows - seq));
      const data = await tampered((database) => {
        database.prepare('DELETE FROM audit WHERE seq BETWEEN ? AND ?').run(seq, seq + count - 1);
      });
      const found = await verify(data);
      expect(found.problems).toEqual([
        expect.objectContaining({
          kind: 'missing',
          seq,
          to: seq + count - 1,
          message: expect.stringContaining(String(seq)),
        }),
      ]);
    } else if (kind === 'swap') {
      const one = 1 + places.below(rows);
      const other = ((one - 1 + 1 + places.below(rows - 1)) % rows) + 1;
      const data = await tampered((database) => {
        const move = database.prepare('UPDATE audit SET seq = ? WHERE seq = ?');
        for (const [to, from] of [
          [-1, one],
          [one, other],
          [other, -1],
        ] as const)
          move.run(to, from);
      });
      const found = await verify(data);
      const moved = found.problems.filter((problem) => problem.kind === 'moved').map(({ seq, was }) => [seq, was]);
      expect(moved.toSorted(([a], [b]) => a! - b!)).toEqual(
        [
          [one, other],
          [other, one],
        ].toSorted(([a], [b]) => a! - b!),
      );
    } else {
      const seq = places.below(rows);
      const data = await tampered((database) => {
        database.prepare('DELETE FROM audit WHERE seq > ?').run(seq);
      });
      const found = await verify(data);
      expect(found.problems).toContainEqual(expect.objectContaining({ kind: 'truncated', seq, to: rows }));
    }
  });

  it('is found out when a bit of the file itself was turned', async () => {
    const chance = new Dice(60);
    const whole = await readFile(join(original, 'flotilla.db'));
    for (let round = 0; round < 40; round += 1) {
      const seq = 2 + chance.below(rows - 2);
      const database = new DatabaseSync(join(original, 'flotilla.db'), { readOnly: true });
      const hash = Buffer.from(String(rowOf(database, seq)['hash']));
      database.close();
      const at = whole.indexOf(hash); // in its own row, or as the link of the next
      expect(at).toBeGreaterThan(0);
      const bytes = Buffer.from(whole);
      bytes[at + chance.below(64)]! ^= 1 << chance.below(7);
      const data = await tampered(() => undefined);
      await writeFile(join(data, 'flotilla.db'), bytes);
      const found = await verify(data);
      expect(found.ok, String(seq)).toBe(false);
      expect(
        found.problems.some((problem) => problem.seq === seq || problem.seq === seq + 1),
        String(seq),
      ).toBe(true);
    }
  });

  it('is found out when it was emptied, and when the table is gone', async () => {
    const emptied = await tampered((database) => database.exec('DELETE FROM audit'));
    expect((await verify(emptied)).problems).toContainEqual(expect.objectContaining({ kind: 'truncated', seq: 0 }));
    const gone = await tampered((database) => database.exec('DROP TABLE audit'));
    await expect(verify(gone)).rejects.toMatchObject({ code: 'store-no-audit' } satisfies Partial<FlotillaError>);
  });

  it('is found out by the signed heads when the whole chain was made to fit again', async () => {
    const chance = new Dice(61);
    for (let round = 0; round < 20; round += 1) {
      const seq = 1 + chance.below(rows);
      const data = await tampered((database) => {
        set(database, seq, 'actor', 'operator:mallory');
        rechain(database, seq);
      });
      const found = await verify(data);
      const first = found.problems.find((problem) => problem.kind === 'rewritten');
      // Between the last signed head that still agrees and the first that does not.
      expect(parseHead(found.anchored ?? `0:${'0'.repeat(64)}`)!.seq).toBeLessThan(seq);
      expect(first!.seq).toBeGreaterThanOrEqual(seq);
    }
  });

  it('is found out when rows were put at its end: they are shown as not signed', async () => {
    const data = await tampered((database) => {
      const { seq: _, ...last } = rowOf(database, rows);
      const names = Object.keys(last);
      database
        .prepare(`INSERT INTO audit (seq, ${names.join(', ')}) VALUES (?, ${names.map(() => '?').join(', ')})`)
        .run(rows + 1, ...(Object.values(last) as SQLInputValue[]));
      set(database, rows + 1, 'prev', String(last['hash']));
      rechain(database, rows + 1);
    });
    const found = await verify(data);
    expect(found.unanchoredRows).toBe(1);
    expect(found.notes.join()).toContain('the last 1 rows are not signed');
  });

  it('is found out when signed heads were taken away, made up, or come from elsewhere', async () => {
    const heads = await readFile(join(original, 'audit-heads.ndjson'), 'utf8');
    const lines = heads.trimEnd().split('\n');
    const withHeads = async (text: string | undefined): Promise<AuditVerification> => {
      const data = await tampered((database) => {
        if (text === undefined) database.exec("DELETE FROM meta WHERE key = 'auditCheckpoint'");
      });
      await writeFile(join(data, 'audit-heads.ndjson'), text ?? '');
      return verify(data);
    };
    expect((await withHeads(undefined)).problems).toContainEqual(expect.objectContaining({ kind: 'unanchored' }));
    expect((await withHeads(`${lines[0]}\n`)).problems).toContainEqual(
      expect.objectContaining({ kind: 'bad-head', message: expect.stringContaining('ends with row') }),
    );
    const last = JSON.parse(lines.at(-1)!) as Record<string, unknown>;
    const made = { ...last, hash: 'f'.repeat(64) };
    expect((await withHeads(`${heads}${JSON.stringify(made)}\n`)).problems).toContainEqual(
      expect.objectContaining({ kind: 'bad-head', message: expect.stringContaining('was not signed by') }),
    );
    const strange = { ...last, fleetId: 'elsewhere' };
    expect((await withHeads(`${heads}${JSON.stringify(strange)}\n`)).problems).toContainEqual(
      expect.objectContaining({ kind: 'bad-head', message: expect.stringContaining('another fleet') }),
    );
    expect((await withHeads(`${heads}{"cut off by a crash`)).problems).toEqual([]);
  });

  it('can be set back as a whole, which only a head that was kept elsewhere shows', async () => {
    await using place = await temporaryDirectory();
    const first = await startCore(place.path);
    await first.coordinator.stop();
    const { data } = first.config;
    const before = join(place.path, 'before');
    await mkdir(before);
    for (const file of files) await copyFile(join(data, file), join(before, file));
    const old = parseHead((await verify(data, undefined, first.signer)).head)!;

    const second = await startCore(place.path);
    await enroll(second.client, 'gw-9');
    const kept = parseHead((await second.client.auditHead()).head)!;
    await second.coordinator.stop();
    expect((await verify(data, kept, first.signer)).problems).toEqual([]);
    expect((await verify(data, old, first.signer)).problems).toEqual([]);
    // All of it is a state that there was: nothing in it can say that it is not the newest. See docs/guide/audit.md.
    expect((await verify(before, undefined, first.signer)).problems).toEqual([]);
    expect((await verify(before, kept, first.signer)).problems).toEqual([
      expect.objectContaining({ kind: 'truncated', seq: old.seq, to: kept.seq }),
    ]);
    expect((await verify(data, { ...old, hash: 'a'.repeat(64) }, first.signer)).problems).toEqual([
      expect.objectContaining({ kind: 'rewritten', seq: old.seq }),
    ]);
  });

  it('goes on under a new key of the coordinator: its first head covers all that was before', async () => {
    await using place = await temporaryDirectory();
    const core = await startCore(place.path);
    await enroll(core.client, 'gw-1');
    await core.client.auditHead();
    await core.client.renewCoordinator();
    await core.client.auditHead();
    await core.coordinator.stop();
    const { data } = core.config;
    const own = new X509Certificate(await readFile(join(place.path, 'pki', 'coordinator.crt')));
    const found = await verify(data, undefined, own);
    expect([found.problems, found.unanchoredRows]).toEqual([[], 0]);
    expect(found.notes.join()).toContain('of an earlier key');
    // Who has only the key of before signs nothing more.
    expect((await verify(data, undefined, core.signer)).problems).toContainEqual(
      expect.objectContaining({ kind: 'bad-head', message: expect.stringContaining('of another key') }),
    );
  });
});
