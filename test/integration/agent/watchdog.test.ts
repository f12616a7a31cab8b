import { constants, readSync } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { startWatchdog } from '../../../src/agent/machine/watchdog.ts';
import { createLog } from '../../../src/log.ts';
import { eventually } from '../../support/eventually.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const logger = createLog({ name: 'agent', level: 'silent' });

/** A pipe in the place of /dev/watchdog: what a watchdog gets to see. */
async function pipe(dir: string): Promise<{ file: string; read(): string } & AsyncDisposable> {
  const file = join(dir, 'pipe');
  await execa('mkfifo', [file]);
  const handle = await open(file, constants.O_RDWR | constants.O_NONBLOCK);
  let seen = '';
  return {
    file,
    read() {
      const buffer = Buffer.alloc(1024);
      try {
        seen += buffer.toString('latin1', 0, readSync(handle.fd, buffer));
      } catch {
        // EAGAIN: nothing new
      }
      return seen;
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

describe('the watchdog', () => {
  it('is fed as long as all is well, and starves when it is not', async () => {
    await using dir = await temporaryDirectory();
    const file = join(dir.path, 'watchdog');
    let asked = 0;
    const wellUntil = 5;
    const isWell = () => ++asked <= wellUntil;
    const stop = startWatchdog({ file, intervalMs: 10, isWell, mayDisarm: () => true, logger });
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

  it('is disarmed by an agent that stops in peace', async () => {
    await using dir = await temporaryDirectory();
    await using device = await pipe(dir.path);
    const option = { file: device.file, intervalMs: 10, isWell: () => true, logger };
    startWatchdog({ ...option, mayDisarm: () => true })();
    expect(device.read()).toBe('.V');
  });

  it('stays armed when a slot on probation loses its agent', async () => {
    await using dir = await temporaryDirectory();
    await using device = await pipe(dir.path);
    const option = { file: device.file, intervalMs: 10, isWell: () => true, logger };
    startWatchdog({ ...option, mayDisarm: () => false })();
    expect(device.read()).toBe('.');
  });

  it('does not hold the agent up where nobody reads', async () => {
    await using dir = await temporaryDirectory();
    const file = join(dir.path, 'pipe');
    await execa('mkfifo', [file]);
    startWatchdog({ file, intervalMs: 10, isWell: () => true, mayDisarm: () => true, logger })();
  });
});
