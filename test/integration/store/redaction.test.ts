import { readFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openStore, type Write } from '../../../src/store/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const entry = new URL('../../../src/bin/store-thread.ts', import.meta.url);
const rows = 6_000;

describe('what is redacted', () => {
  it('leaves no remains in pages that were rebuilt, however rows were written and letters changed before', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'flotilla.db');
    const store = await openStore({ path, entry });
    // A fixed sequence: small and large payloads, letters that grow later, as replays that fail make them.
    let state = 7;
    const roll = (below: number) => (state = (state * 1_103_515_245 + 12_345) & 0x7fff_ffff) % below;
    for (let offset = 1; offset <= rows;) {
      const writes: Write[] = [];
      for (let n = 0; n < 200; n += 1, offset += 1) {
        const padding = 'p'.repeat(roll(10) === 0 ? roll(9_000) : roll(300));
        const place = { deviceId: 'd', instanceId: '00000000000000a1', lane: 3, seq: offset, type: 't' };
        const payload = Buffer.from(`${padding}SECRET-${offset}-p`);
        const row = { ...place, key: `SECRET-${offset}-k`, timestampMs: 1, receivedAtMs: 2, payload };
        writes.push({ kind: 'event', event: { offset, ...row } });
        const texts = { code: 'crashed', reason: `SECRET-${offset}-r`, stderr: `SECRET-${offset}-e` };
        const letter = { id: offset, layer: 'handler', state: 'new', attempts: 1, firstAtMs: 1, lastAtMs: 1 } as const;
        if (roll(10) === 0) writes.push({ kind: 'dead-letter', letter: { ...row, ...letter, ...texts, offset } });
        const reason = `${'longer '.repeat(roll(60))}SECRET-${offset}-c`;
        if (roll(20) === 0 && offset > 300) {
          writes.push({ kind: 'dead-letter-change', change: { id: offset - roll(200), reason } });
        }
      }
      await store.commit(writes);
    }
    const marker = { by: 'operator', reason: 'test', atMs: 3 };
    for (let from = 1; from <= rows; from += 1_000) {
      const offsets = Array.from({ length: 1_000 }, (_, n) => from + n);
      await store.commit([{ kind: 'redact', offsets, marker }]);
    }
    expect(await store.scrub(['dead_letter', 'job_device'])).toBe(true);
    for (const suffix of ['', '-wal']) {
      const bytes = existsSync(path + suffix) ? await readFile(path + suffix) : Buffer.alloc(0);
      expect([suffix, bytes.includes('SECRET')]).toEqual([suffix, false]);
    }
    const [row] = await store.events({ from: rows, limit: 1 });
    expect(row).toMatchObject({ seq: rows, key: '', payload: new Uint8Array(0), redacted: marker });
    await store.close();
  });
});
