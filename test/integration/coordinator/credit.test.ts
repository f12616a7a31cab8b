import { expect, it } from 'vitest';
import { temporaryDirectory } from '../../support/temporary.ts';
import { startCore } from './core-bench.ts';
import { enroll } from './enroll.ts';

it('a device that sends while the store is behind gets less credit, and all of it back in a calmer hour', async () => {
  await using directory = await temporaryDirectory();
  await using core = await startCore(directory.path);
  const device = core.gateways.connect(await enroll(core.client, 'gw-1'));
  await device.admitted.promise;
  for (let n = 0; n < 1_200; n += 1) device.say('product.reading', { n }, { lane: 3 });
  await device.heard(3);
  expect(device.credits).toEqual([32_768]);
  device.say('product.reading', {}, { lane: 3 });
  await device.heard(3);
  expect(device.credits).toEqual([32_768, Number.MAX_SAFE_INTEGER]);
  expect(device.pauses).toEqual([]);
});
