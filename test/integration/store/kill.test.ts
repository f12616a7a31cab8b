import { execa } from 'execa';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { acquireLock, openStore } from '../../../src/store/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const entry = new URL('../../../src/bin/store-thread.ts', import.meta.url);

/** Commits pairs of events without end and prints the number of each pair once its commit has resolved. */
const writer = `
import { openStore } from ${JSON.stringify(new URL('../../../src/store/index.ts', import.meta.url).href)};
const store = await openStore({ path: process.argv[1], entry: new URL(${JSON.stringify(entry.href)}) });
const { lastOffset } = await store.load();
const event = (offset) => ({ kind: 'event', event: { offset, deviceId: 'd', instanceId: 'i', lane: 0, seq: offset,
  type: 't', key: '', timestampMs: 0, receivedAtMs: 0, payload: Buffer.from(String(offset)) } });
for (let offset = lastOffset + 1; ; offset += 2) {
  store.commit([event(offset), event(offset + 1)]).then(() => process.stdout.write(offset + 1 + '\\n'));
  if (offset % 20 === 1) await new Promise(setImmediate);
}`;

describe('a writer that is killed with -9', () => {
  it('loses nothing that it reported as committed, and leaves no half of a commit', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'flotilla.db');
    let reported = 0;
    for (let round = 0; round < 4; round += 1) {
      const child = execa(
        process.execPath,
        ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', writer, path],
        {
          reject: false,
          maxBuffer: { stdout: 1 },
          buffer: false,
          forceKillAfterDelay: false,
        },
      );
      let seen = 0;
      let rest = '';
      for await (const chunk of child.stdout) {
        const lines = (rest + String(chunk)).split('\n');
        rest = lines.pop() ?? '';
        reported = Math.max(reported, ...lines.map(Number));
        seen += lines.length;
        if (seen >= 30 * (round + 1)) child.kill('SIGKILL'); // in mid-work: more commits are under way
      }
      await child;
      const store = await openStore({ path, entry });
      const { lastOffset } = await store.load();
      const rows = await store.events({ from: 1, limit: 1_000_000 });
      await store.close();
      expect(lastOffset).toBeGreaterThanOrEqual(reported);
      expect(lastOffset % 2).toBe(0);
      expect(rows.length).toBe(lastOffset);
    }
  });

  it('gives its directory lock back', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'lock');
    const source = `
      import { acquireLock } from ${JSON.stringify(new URL('../../../src/store/index.ts', import.meta.url).href)};
      const lock = acquireLock(process.argv[1]);
      process.stdout.write('held');
      setInterval(() => lock, 1000);`;
    const child = execa(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', source, path],
      { reject: false },
    );
    await new Promise((resolve) => child.stdout.once('data', resolve));
    expect(acquireLock(path)).toBeUndefined();
    child.kill('SIGKILL');
    await child;
    const lock = acquireLock(path);
    expect(lock).toBeDefined();
    lock?.release();
  });
});
