/** Where the agent's log goes: a file that stays small whatever happens, or the journal with priorities. */
import { mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BoundedFile } from '../../../src/agent/output/bounded-file.ts';
import { isJournal, journalOutput } from '../../../src/agent/output/journal-output.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const line = (number: number): string => `{"level":30,"n":${number},"fill":"${'x'.repeat(40)}"}\n`;

describe('a bounded log file', () => {
  it('never takes more than (keep + 1) × maxBytes, and loses the oldest first', async () => {
    await using scratch = await temporaryDirectory();
    const path = join(scratch.path, 'log', 'agent.log');
    const log = new BoundedFile({ path, maxBytes: 1_000, keep: 2 });
    for (let number = 0; number < 500; number += 1) log.write(line(number));
    log.close();
    const names = (await readdir(join(scratch.path, 'log'))).sort();
    expect(names).toEqual(['agent.log', 'agent.log.1', 'agent.log.2']);
    const texts = await Promise.all(
      names.toReversed().map((name) => readFile(join(scratch.path, 'log', name), 'utf8')),
    );
    for (const text of texts) expect(text.length).toBeLessThanOrEqual(1_000);
    const numbers = texts
      .join('')
      .split('\n')
      .filter(Boolean)
      .map((text) => (JSON.parse(text) as { n: number }).n);
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, index) => 500 - numbers.length + index));
  });

  it('goes on where an earlier process stopped, and begins anew with keep 0', async () => {
    await using scratch = await temporaryDirectory();
    const path = join(scratch.path, 'agent.log');
    const option = { path, maxBytes: 200, keep: 0 };
    for (let number = 0; number < 10; number += 1) {
      const log = new BoundedFile(option);
      log.write(line(number));
      log.close();
    }
    expect(await readdir(scratch.path)).toEqual(['agent.log']);
    expect((await stat(path)).size).toBeLessThanOrEqual(200);
    expect(await readFile(path, 'utf8')).toContain('"n":9');
  });

  it('never throws; once it can write again it tells how many lines were lost', async () => {
    await using scratch = await temporaryDirectory();
    const folder = join(scratch.path, 'log');
    await writeFile(folder, 'a file where the folder should be');
    const path = join(folder, 'agent.log');
    const log = new BoundedFile({ path, maxBytes: 1_000, keep: 1 });
    for (let number = 0; number < 7; number += 1) log.write(line(number));
    await rm(folder);
    await mkdir(folder);
    log.write(line(7));
    log.write('x'.repeat(2_000)); // larger than the file may be
    log.write(line(8));
    log.close();
    const rows = (await readFile(path, 'utf8'))
      .split('\n')
      .filter(Boolean)
      .map((text) => JSON.parse(text) as object);
    expect(rows).toMatchObject([{ level: 40, lost: 7 }, { n: 7 }, { level: 40, lost: 1 }, { n: 8 }]);
  });
});

describe('the journal', () => {
  it('gets each line with its priority, and nothing else in it', () => {
    const lines: string[] = [];
    const output = journalOutput({ write: (text) => lines.push(text) });
    for (const level of [10, 30, 40, 50, 60]) output.write(`{"level":${level},"msg":"m"}\n`);
    expect(lines.map((text) => text.slice(0, 3))).toEqual(['<7>', '<6>', '<4>', '<3>', '<2>']);
    expect(lines[0]!.slice(3)).toBe('{"level":10,"msg":"m"}\n');
  });

  it('is told by its socket, not by a variable that was inherited', () => {
    expect(isJournal({})).toBe(false);
    expect(isJournal({ JOURNAL_STREAM: '1:2' })).toBe(false);
    expect(isJournal({ JOURNAL_STREAM: 'nonsense' })).toBe(false);
  });
});
