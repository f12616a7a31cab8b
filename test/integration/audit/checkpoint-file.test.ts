import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Checkpoint } from '../../../src/audit/index.ts';
import { CheckpointFile } from '../../../src/coordinator/audit/checkpoint-file.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const head = (seq: number): Checkpoint => ({
  version: 1,
  fleetId: 'harbour',
  instanceId: '00000000000000c0',
  seq,
  hash: 'a'.repeat(64),
  atMs: seq,
  key: 'b'.repeat(64),
  signature: 'c'.repeat(88),
});

describe('the file of signed heads', () => {
  it('is for its owner alone, and goes on behind what a crash has cut off', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'heads');
    const first = new CheckpointFile(path);
    expect(await first.open()).toBeUndefined();
    await first.append(head(1));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await writeFile(path, `${await readFile(path, 'utf8')}{"version":1,"fle`);
    const second = new CheckpointFile(path);
    expect(await second.open()).toEqual(head(1));
    await second.append(head(2));
    const lines = (await readFile(path, 'utf8')).split('\n');
    expect(lines.map((line) => line && (JSON.parse(line) as Checkpoint).seq)).toEqual([1, 2, '']);
  });

  it('never grows beyond a bound, and keeps the first and the newest', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'heads');
    const line = (seq: number): string => `${JSON.stringify(head(seq))}\n`;
    let text = '';
    let last = 0;
    while (text.length + line(last + 1).length <= 1024 * 1024) text += line((last += 1));
    await writeFile(path, text, { mode: 0o600 });
    const file = new CheckpointFile(path);
    await file.open();
    await file.append(head(last + 1));
    const kept = (await readFile(path, 'utf8')).trimEnd().split('\n');
    const seqs = kept.map((one) => (JSON.parse(one) as Checkpoint).seq);
    expect(seqs.length).toBeLessThan(last / 2);
    expect([seqs[0], seqs.at(-1)]).toEqual([1, last + 1]);
    expect(seqs.slice(-500)).toEqual(Array.from({ length: 500 }, (_, index) => last + 1 - 499 + index));
    expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });
});
