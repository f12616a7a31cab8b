/** In small what `npm run bench:update-bytes` measures of a whole bundle. */
import { expect, it } from 'vitest';
import { measureUpdateBytes } from '../../bench/update-bytes/measure.ts';

it('costs a bundle little more than its size, also when the link is cut again and again', async () => {
  const sizeBytes = 4 << 20;
  const whole = await measureUpdateBytes({ sizeBytes, cuts: 0 });
  expect(whole.overShare).toBeLessThan(0.015);
  const cut = await measureUpdateBytes({ sizeBytes, cuts: 5 });
  expect(cut.cuts).toBe(5);
  expect(cut.overShare).toBeLessThan(0.03); // what has come of a part is not asked for again
});
