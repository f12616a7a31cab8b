import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { SuspectFile } from '../../../src/coordinator/core/suspect-file.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const core = join(import.meta.dirname, '..', '..', 'support', 'poisoned-core.ts');

interface Run {
  signal: string | undefined;
  /** What it said before it ended. */
  last: { stored?: number[]; letters?: any[]; run?: number[]; types?: string[] };
}

/** A real process that stores these events of one device, and is killed when it runs a poisoned one. */
async function runCore(directory: string, types: string[]): Promise<Run> {
  const child = await execa(process.execPath, ['--disable-warning=ExperimentalWarning', core, directory, ...types], {
    reject: false,
    timeout: 30_000,
  });
  const lines = child.stdout.split('\n').filter((line) => line !== '');
  return { signal: child.signal, last: lines.length === 0 ? {} : JSON.parse(lines.at(-1)!) };
}

describe('the file of suspects', () => {
  it('tells the next process what was under way, and is gone after an orderly end', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'suspects');
    const first = new SuspectFile(path);
    const ranges = [
      { deviceId: 'gw-1', instanceId: '00000000000000a1', lane: 3, from: 7, to: 9 },
      { deviceId: 'gw-2', instanceId: '00000000000000a2', lane: 0, from: 1, to: 1 },
    ];
    first.begin(ranges);
    expect(new SuspectFile(path).read()).toEqual(ranges);
    first.end();
    expect(new SuspectFile(path).read()).toEqual([]);
    first.close();
    await expect(readFile(path)).rejects.toThrow('ENOENT');
  });

  it('is nothing when it is damaged', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'suspects');
    for (const bytes of [Buffer.alloc(3), Buffer.from([255, 255, 255, 255, 65]), Buffer.from('\x05\0\0\0a b c d')]) {
      await writeFile(path, bytes);
      expect(new SuspectFile(path).read()).toEqual([]);
    }
  });
});

describe('an event that ends the coordinator', () => {
  it('is set aside after the third time that it stood alone; its neighbours are stored', async () => {
    await using directory = await temporaryDirectory();
    const types = ['flotilla.boot', 'flotilla.job', 'flotilla.boot'];
    // In the batch, then alone three times; the fifth process does not run it any more.
    for (let attempt = 0; attempt < 4; attempt += 1) {
      expect((await runCore(directory.path, types)).signal).toBe('SIGKILL');
    }
    const { signal, last } = await runCore(directory.path, types);
    expect(signal).toBeUndefined();
    expect(last.stored).toEqual([1, 3]);
    expect(last.run).not.toContain(2);
    expect(last.letters).toMatchObject([
      { layer: 'handler', code: 'crashed', attempts: 3, seq: 2, type: 'flotilla.job', state: 'new' },
    ]);
    const database = new DatabaseSync(join(directory.path, 'data', 'flotilla.db'), { readOnly: true });
    expect(database.prepare('SELECT * FROM suspect').all()).toEqual([]);
    database.close();
  });

  it('does not take along what was only there when the process was killed', async () => {
    await using directory = await temporaryDirectory();
    // As kills leave it, again and again: present, never alone.
    for (let kill = 0; kill < 5; kill += 1) {
      expect((await runCore(directory.path, ['kill', ...Array(kill + 1).fill('flotilla.boot')])).signal).toBe(
        'SIGKILL',
      );
    }
    const { signal, last } = await runCore(directory.path, Array(6).fill('flotilla.boot'));
    expect(signal).toBeUndefined();
    expect(last.stored).toEqual([1, 2, 3, 4, 5, 6]);
    expect(last.letters).toEqual([]);
  });

  it('is one in a run of product rows as well', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'data', 'suspects');
    expect((await runCore(directory.path, ['flotilla.boot'])).signal).toBeUndefined();
    const written = new SuspectFile(file);
    written.begin([{ deviceId: 'gw-1', instanceId: '00000000000000a1', lane: 0, from: 2, to: 4 }]);
    const database = new DatabaseSync(join(directory.path, 'data', 'flotilla.db'));
    database.prepare('INSERT INTO suspect VALUES (?,?,?,?,?)').run('gw-1', '00000000000000a1', 0, 3, 3);
    database.close();
    const { last } = await runCore(directory.path, ['flotilla.boot', 'product', 'product', 'product']);
    expect(last.stored).toEqual([1, 2, 4]);
    expect(last.letters).toMatchObject([{ seq: 3, code: 'crashed', attempts: 3 }]);
  });
});
