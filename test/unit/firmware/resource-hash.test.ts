import { createCipheriv } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createBlake2b256 } from '../../../src/firmware/archive/blake2b.ts';
import { hashResource } from '../../../src/firmware/archive/resource-hash.ts';

const bytes = createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16)).update(Buffer.alloc(18 * 1024 * 1024)); // prettier-ignore

it('gives the same in a thread of its own, however the bytes are cut, and while their memory is used again', async () => {
  const expected = (await createBlake2b256()).update(bytes).digest('hex');
  const cuts = fc.array(fc.integer({ min: 1, max: 3_000_000 }), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(cuts, async (sizes) => {
      await using hash = await hashResource(bytes.length);
      const chunk = Buffer.alloc(3_000_000);
      for (let at = 0, turn = 0; at < bytes.length; turn++) {
        const size = Math.max(sizes[turn % sizes.length]!, 1000); // a few bytes at a time would take all day
        const count = bytes.copy(chunk, 0, at, at + size);
        await hash.update(chunk.subarray(0, count));
        chunk.fill(0xee, 0, count);
        at += count;
      }
      expect(await hash.digest()).toBe(expected);
    }),
    { numRuns: 5 },
  );
});

it('hashes nothing, and less than was announced', async () => {
  await using none = await hashResource(20 * 1024 * 1024);
  expect(await none.digest()).toBe((await createBlake2b256()).digest('hex'));
  await using few = await hashResource(20 * 1024 * 1024);
  await few.update(Buffer.from('abc'));
  expect(await few.digest()).toBe('bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319');
});
