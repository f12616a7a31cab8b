/** The coordinator dies while a device is enrolled: the repetition completes, and nothing was counted twice. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { enrollFolder, parseEnrollmentToken, type EnrollmentToken } from '../../src/enrollment/index.ts';
import { FlotillaError } from '../../src/error.ts';
import { createFleet, enrollmentConfig, type TestFleet } from '../support/fleet.ts';

describe('an enrollment', () => {
  let fleet: TestFleet;
  beforeAll(async () => {
    fleet = await createFleet({ extra: enrollmentConfig });
    // Tokens name the port: a restart must come back on it.
    const { enrollment } = (await fleet.cli(['coordinator', 'status', '--json'])).json();
    const file = join(fleet.dir, 'coordinator.yaml');
    await writeFile(file, (await readFile(file, 'utf8')).replace(/port: 0\s*$/, `port: ${enrollment.port}\n`));
  });
  afterAll(() => fleet?.[Symbol.asyncDispose]());

  const enroll = (deviceId: string, token: EnrollmentToken) =>
    enrollFolder({
      dir: join(fleet.scratch, deviceId),
      deviceId,
      token,
      renderConfig: () => Promise.resolve('# of no matter here\n'),
      waitMs: 0,
      sleep: (ms) => sleep(ms),
    });

  // An enrollment takes some 30 ms here: from before its first byte until after its last.
  it.each([0, 4, 8, 12, 16, 20, 25, 30, 40])('whose coordinator dies after %i ms is repeated', async (delayMs) => {
    const made = (await fleet.cli(['enroll', 'token', 'add', '--json'])).json();
    const token = parseEnrollmentToken(made.text);
    const id = `e-${delayMs}`;
    const first = enroll(id, token).then(
      ({ serialHex }) => serialHex,
      (error: unknown) => error,
    );
    await sleep(delayMs);
    await fleet.killCoordinator();
    const before = await first;
    if (typeof before !== 'string') {
      expect(before).toBeInstanceOf(FlotillaError);
      expect((before as FlotillaError).code).toBe('enrollment-unreachable');
    }
    await fleet.startCoordinator();
    const after = await enroll(id, token);
    if (typeof before === 'string') expect(after.serialHex).toBe(before);
    const issued = (await fleet.cli(['cert', 'list', '--device', id, '--json'])).json();
    expect(issued.map(({ serial }: { serial: string }) => serial)).toEqual([after.serialHex]);
    const tokens = (await fleet.cli(['enroll', 'token', 'list', '--json'])).json();
    expect(tokens.find((one: { id: string }) => one.id === token.id)).toMatchObject({ uses: 1, state: 'used-up' });
  });
});
