import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startWatchdog } from '../../../src/agent/machine/watchdog.ts';
import { createLog } from '../../../src/log.ts';
import { eventually } from '../../support/eventually.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

describe('the watchdog', () => {
  it('is fed as long as all is well, and starves when it is not', async () => {
    await using dir = await temporaryDirectory();
    const file = join(dir.path, 'watchdog');
    let asked = 0;
    const wellUntil = 5;
    const isWell = () => ++asked <= wellUntil;
    const stop = startWatchdog({ file, intervalMs: 10, isWell, logger: createLog({ name: 'agent', level: 'silent' }) });
    const first = (await stat(file)).mtimeMs;
    await eventually('it was fed again', async () => (await stat(file)).mtimeMs > first, { everyMs: 2 });
    await eventually('it was asked after the end', () => asked > wellUntil + 1, { everyMs: 2 });
    const last = (await stat(file)).mtimeMs;
    const askedThen = asked;
    await eventually('it was asked again', () => asked > askedThen + 2, { everyMs: 2 });
    expect((await stat(file)).mtimeMs).toBe(last);
    stop();
    expect(await readFile(file, 'utf8')).toBe('.');
  });
});
