import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { top } from '../../support/cli.ts';
import { golden, vectors } from '../../support/fwup-vector.ts';
import { expectedOf, prepareCase, runStep, type StepResult } from '../../support/golden-replay.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

/** Every step that the real fwup 1.16.0 was asked, asked of the built `flotilla-fwup` as a script would. */
const command = [process.execPath, join(top, 'src', 'bin', 'fwup-launcher.cjs')] as const;

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeAll(async () => {
  scratch = await temporaryDirectory();
  await cp(join(vectors, 'keys'), join(scratch.path, 'keys'), { recursive: true });
});
afterAll(() => scratch[Symbol.asyncDispose]());

// All begin at once: each has its limit for the time of all.
describe('flotilla-fwup says and does what fwup does', { timeout: 240_000 }, () => {
  it.concurrent.each(golden.cases.map((each) => [each.name, each] as const))('%s', async (_name, each) => {
    const folder = await prepareCase(scratch.path, each);
    const replay = { command, folder, images: new Map<string, Buffer>() };
    const seen: StepResult[] = [];
    for (const step of each.steps) seen.push(await runStep(replay, step));
    expect(seen).toEqual(each.steps.map(expectedOf));
  });

  it('and there are 280 such steps', () => {
    expect(golden.cases.flatMap(({ steps }) => steps)).toHaveLength(280);
  });
});
