/** The audit log from the command line: what is in it, that it is whole, and what becomes of it when it is not. */
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditEntry, AuditVerification } from '../../src/client/contract/index.ts';
import { flotilla, start } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';

let fleet: TestFleet;
const must = async (...args: string[]) => {
  const ran = await fleet.cli(args);
  expect(ran.exitCode, `${args.join(' ')}\n${ran.stdout}${ran.stderr}`).toBe(0);
  return ran;
};
const show = async (...args: string[]) => (await must('audit', 'show', '--json', ...args)).rows<AuditEntry>();
const verify = async (...args: string[]) => {
  const ran = await fleet.cli(['audit', 'verify', '--json', ...args]);
  const found = ran.json<AuditVerification>();
  expect(ran.exitCode).toBe(found.ok ? 0 : 4);
  return found;
};
const change = (path: string, sql: string): void => {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
};
const scratch = (...path: string[]) => join(fleet.scratch, ...path);
const data = (...path: string[]) => join(fleet.dir, 'data', ...path);

beforeAll(async () => {
  fleet = await createFleet();
  for (const id of ['gw-1', 'gw-2']) await must('cert', 'issue', id, '--out', scratch(id));
  await must('device', 'tag', 'gw-*', 'site=harbour');
  await fleet.cli(['device', 'remove', 'gw-404', '--yes']);
}, 60_000);
afterAll(() => fleet?.[Symbol.asyncDispose]());

describe('flotilla audit', () => {
  it('shows who did what on which devices, and what was refused', async () => {
    const rows = (await show('--from', '1', '--limit', '20')).filter(({ action }) => action !== 'operator.add');
    const facts = rows.map(({ action, subject, devices, result, code }) => [
      action,
      subject,
      devices.ids,
      result,
      code,
    ]);
    expect(facts.slice(0, 6)).toEqual([
      ['audit.begin', '', [], 'ok', ''],
      ['coordinator.start', '', [], 'ok', ''],
      ['certificate.sign', 'gw-1', ['gw-1'], 'ok', ''],
      ['certificate.sign', 'gw-2', ['gw-2'], 'ok', ''],
      ['device.tag', 'gw-*', ['gw-1', 'gw-2'], 'ok', ''],
      ['DELETE /v1/devices/:id', 'gw-404', [], 'refused', 'device-unknown'],
    ]);
    const [, started, , signed, tagged, refused] = rows;
    const seqs = async (...args: string[]) => (await show('--from', '1', ...args)).map(({ seq }) => seq);
    expect((await seqs('--device', 'gw-2')).slice(0, 2)).toEqual([signed!.seq, tagged!.seq]);
    expect((await seqs('--action', 'device.*'))[0]).toBe(tagged!.seq);
    expect((await seqs('--result', 'refused'))[0]).toBe(refused!.seq);
    expect((await seqs('--actor', 'system:coordinator'))[0]).toBe(started!.seq);
    expect((await show('--from', '2', '--limit', '2')).map(({ seq }) => seq)).toEqual([2, 3]);
    expect((await show('--until', '1h')).length).toBe(0);
    expect((await show('--since', '1h', '--limit', '1')).length).toBe(1);
    const typed = (await must('audit', 'show', String(tagged!.seq))).stdout;
    expect(typed).toMatch(/^devices: +gw-1, gw-2$/m);
    expect((await must('audit', 'show')).stdout).toContain('2 devices  ok');
  });

  it('follows', async () => {
    const child = start(['audit', 'show', '--follow', '--json', '--action', 'device.tag'], {
      env: { FLOTILLA_FLEET_DIR: fleet.dir },
    });
    let seen = '';
    child.stdout.on('data', (chunk) => (seen += String(chunk)));
    await eventually('a row that was followed', async () => {
      await must('device', 'tag', 'gw-1', 'seen=yes');
      return seen.includes('"device.tag"');
    });
    child.kill('SIGINT');
    expect((await child).exitCode).toBe(130);
  });

  it('is whole, while the coordinator runs, after it was killed, and while it is stopped', async () => {
    const head = (await must('audit', 'head')).stdout.trim();
    expect(head).toMatch(/^\d+:[0-9a-f]{64}$/);
    expect(await verify('--head', head)).toMatchObject({ ok: true, problems: [], unanchoredRows: 0 });
    await must('device', 'tag', 'gw-1', 'last=words');
    await fleet.killCoordinator();
    expect((await verify('--head', head)).ok).toBe(true);
    await fleet.startCoordinator();
    await fleet.stopCoordinator();
    const stopped = await verify('--head', head);
    expect(stopped).toMatchObject({ ok: true, unanchoredRows: 0 });
    const rows = Number(stopped.head.split(':')[0]);
    expect(stopped.rows).toBe(rows);
    await fleet.startCoordinator();
    expect((await show('--action', 'coordinator.*')).map(({ action }) => action)).toEqual(
      expect.arrayContaining(['coordinator.shutdown', 'coordinator.stop', 'coordinator.start']),
    );
  });

  it('names the place when the file was changed by another hand, also of a copy', async () => {
    await must('audit', 'head');
    await fleet.stopCoordinator();
    // Each in a folder of its own: what SQLite leaves beside one must not be taken for the next one's.
    const copies = async (folder: string): Promise<string> => {
      await mkdir(scratch(folder));
      for (const name of ['flotilla.db', 'audit-heads.ndjson']) await copyFile(data(name), scratch(folder, name));
      return scratch(folder, 'flotilla.db');
    };
    const attempts: [string, string, number][] = [
      [`UPDATE audit SET subject = 'gw-9' WHERE seq = 4`, 'changed', 4],
      [`UPDATE audit SET devices = '{"count":0,"ids":[]}' WHERE seq = 5`, 'changed', 5],
      ['DELETE FROM audit WHERE seq = 6', 'missing', 6],
      [
        'UPDATE audit SET seq = -1 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = -1',
        'moved',
        3,
      ],
      ['DELETE FROM audit WHERE seq > 5', 'truncated', 5],
    ];
    let path = '';
    for (const [index, [sql, kind, seq]] of attempts.entries()) {
      path = await copies(`backup-${index}`);
      change(path, sql);
      // A row whose head happens to be signed is also told as rewritten.
      const { problems } = await verify('--database', path);
      expect(problems, sql).toContainEqual(expect.objectContaining({ kind, seq }));
    }
    const text = await fleet.cli(['audit', 'verify', '--database', path]);
    expect(text.stdout).toMatch(
      /^truncated: the log ends with row 5, but the head signed at .* says \d+: rows 6 to \d+ are cut off/,
    );
    await fleet.startCoordinator();
  });

  it('breaks with the next row when rows are taken away while the coordinator runs', async () => {
    await using other = await createFleet();
    const path = join(other.dir, 'data', 'flotilla.db');
    await other.cli(['cert', 'issue', 'gw-1', '--out', join(other.scratch, 'gw-1')]);
    await other.cli(['audit', 'head']);
    change(path, 'DELETE FROM audit WHERE seq = 3');
    await other.cli(['device', 'tag', 'gw-1', 'after=that']);
    const found = await other.cli(['audit', 'verify', '--json']);
    expect(found.exitCode).toBe(4);
    expect(found.json().problems).toContainEqual(expect.objectContaining({ kind: 'missing', seq: 3, to: 3 }));
    // And the coordinator says at its next start what it finds, in the log itself.
    await other.stopCoordinator();
    change(path, 'DELETE FROM audit WHERE seq > 3');
    await other.startCoordinator();
    const [mismatch] = (await other.cli(['audit', 'show', '--json', '--action', 'audit.mismatch'])).rows<AuditEntry>();
    expect(mismatch).toMatchObject({
      actor: 'system:audit',
      result: 'failed',
      subject: 'rows that were signed are gone',
    });
    expect(await other.coordinatorLog()).toContain('the audit log is not what was signed');
  });
});

describe('an export', () => {
  it('is verified where no fleet is, and its signature where one is', async () => {
    await using other = await createFleet();
    for (let n = 0; n < 3; n += 1) await other.cli(['cert', 'issue', `gw-${n}`, '--out', join(other.scratch, `${n}`)]);
    const out = join(other.scratch, 'audit.ndjson');
    const exported = await other.cli(['audit', 'export', '--out', out, '--json']);
    const { rows, nextSeq } = JSON.parse(exported.stderr) as { rows: number; nextSeq: number };
    expect(nextSeq).toBe(rows + 1);
    const check = async (path: string, inFleet = false): Promise<AuditVerification> => {
      const args = ['audit', 'verify', '--file', path, '--json'];
      const ran = await (inFleet ? other.cli(args) : flotilla(args, { cwd: '/' }));
      return ran.json();
    };
    expect(await check(out, true)).toMatchObject({
      ok: true,
      rows,
      notes: ['its head was signed by the coordinator'],
    });
    const away = await check(out);
    expect(away).toMatchObject({ ok: true, notes: [expect.stringContaining('not checked')] });
    // Another fleet vouches for nobody of this one.
    expect((await fleet.cli(['audit', 'verify', '--file', out, '--json'])).json().notes[0]).toContain('not checked');

    const lines = (await readFile(out, 'utf8')).trimEnd().split('\n');
    const broken = join(other.scratch, 'broken.ndjson');
    const withLines = async (some: string[]): Promise<AuditVerification> => {
      await writeFile(broken, some.map((line) => `${line}\n`).join(''));
      return check(broken, true);
    };
    const at = lines.findIndex((line) => line.includes('gw-1')); // behind the header: its number, too
    const flipped = await withLines(lines.with(at, lines[at]!.replace('gw-1', 'gw-7')));
    expect(flipped.problems[0]).toMatchObject({ kind: 'changed', seq: at });
    expect((await withLines(lines.toSpliced(3, 1))).problems).toContainEqual(
      expect.objectContaining({ kind: 'missing', seq: 3 }),
    );
    expect((await withLines(lines.with(2, lines[3]!).with(3, lines[2]!))).ok).toBe(false);
    expect((await withLines(lines.slice(0, 4))).problems).toContainEqual(
      expect.objectContaining({ kind: 'truncated', seq: 3 }),
    );
    const next = await other.cli(['audit', 'export', '--from', String(nextSeq)]);
    const part = join(other.scratch, 'part.ndjson');
    await writeFile(part, next.stdout);
    expect(await check(part, true)).toMatchObject({ ok: true, from: nextSeq, rows: 1 });
    const none = await flotilla(['audit', 'verify', '--file', join(other.dir, 'coordinator.yaml'), '--json']);
    expect(none.json().error.code).toBe('audit-export-unreadable');
  });
});
