import { describe, expect, it } from 'vitest';
import { crashFile, crashImage } from '../../soak/crash-image.ts';
import { Dice } from '../../soak/dice.ts';
import { readTrace, readTraces } from '../../soak/disk-trace.ts';

async function* linesOf(text: string): AsyncGenerator<string> {
  yield* text.trim().split('\n');
}

describe('a trace of strace', () => {
  it('has writes and syncs in the order in which they began and returned', async () => {
    const trace = await readTrace(
      linesOf(`
101 pwrite64(21, "\\x61\\x62", 2, 10) = 2
102 pwrite64(21, "\\x63", 1, 20 <unfinished ...>
101 fsync(21) = 0
102 <... pwrite64 resumed>) = 1
103 fdatasync(21 <unfinished ...>
103 <... fdatasync resumed>) = 0
102 +++ exited with 0 +++`),
    );
    expect(trace).toEqual({
      writes: [
        { offset: 10, bytes: Buffer.from('ab'), start: 1, end: 1 },
        { offset: 20, bytes: Buffer.from('c'), start: 2, end: 4 },
      ],
      syncs: [
        { start: 3, end: 3 },
        { start: 5, end: 6 },
      ],
    });
  });

  it('leaves out what did not happen, and cuts a short write', async () => {
    const trace = await readTrace(
      linesOf(`
1 pwrite64(5, "\\x61\\x62", 2, 0) = 1
1 fsync(5) = -1 EIO (Input/output error)`),
    );
    expect(trace).toMatchObject({ writes: [{ bytes: Buffer.from('a') }], syncs: [] });
  });

  it('takes a write of several pieces for one, as far as it went', async () => {
    const trace = await readTrace(
      linesOf(`1 pwritev(5, [{iov_base="\\x61\\x62", iov_len=2}, {iov_base="\\x63\\x64", iov_len=2}], 2, 7) = 3`),
    );
    expect(trace).toMatchObject({ writes: [{ offset: 7, bytes: Buffer.from('abc') }] });
  });

  it.each([
    '1 pwritev(5, [{iov_base="\\x61"..., iov_len=2}], 1, 0) = 2',
    '1 write(5, "\\x61", 1) = 1',
    '1 mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, 5, 0) = 0x7f00',
    '1 pwrite64(5, "\\x61"..., 2, 0) = 2',
    '1 <... fsync resumed>) = 0',
    '1 fsync(5 <unfinished ...>',
  ])('refuses %s', async (line) => {
    await expect(readTrace(linesOf(line))).rejects.toThrow('strace:');
  });
});

describe('a crash', () => {
  const write = (offset: number, value: number, start: number, end = start) => ({ offset, bytes: Buffer.alloc(1024, value), start, end }); // prettier-ignore
  // The second write of three had not returned when the first sync began.
  const trace = { writes: [write(0, 1, 1), write(1024, 2, 2, 4), write(2048, 3, 6)], syncs: [{ start: 3, end: 5 }, { start: 7, end: 7 }] }; // prettier-ignore
  const base = Buffer.alloc(3072, 9);

  it('keeps what a sync had made sure of, and of the rest any sectors', () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 500; seed++) {
      const { image, syncs } = crashImage(base, trace, new Dice(seed));
      const sectors = Array.from({ length: 6 }, (_, index) => image.readUInt8(index * 512)).join('');
      if (syncs > 0) expect(sectors.slice(0, 2)).toBe('11');
      if (syncs === 0) expect(sectors.slice(4)).toBe('99');
      if (syncs === 2) expect(sectors).toBe('112233');
      seen.add(`${syncs} ${sectors}`);
    }
    // 2 open writes of 2 sectors before the first sync, then 2 again, then none.
    expect(seen.size).toBe(16 + 16 + 1);
  });

  it('is the same for the same seed', () => {
    expect(crashImage(base, trace, new Dice(7))).toEqual(crashImage(base, trace, new Dice(7)));
  });
});

describe('files of one program', () => {
  it('are told apart by name and time, and torn at one place', async () => {
    const { files, timesMs } = await readTraces(
      linesOf(`
7 100.500000 pwrite64(5</d/log>, "\\x61\\x62", 2, 0) = 2
7 100.600000 fdatasync(5</d/log>) = 0
7 100.700000 pwrite64(6</d/file>, "\\x63", 1, 3) = 1
7 100.800000 ftruncate(5</d/log>, 1) = 0
7 100.900000 pwrite64(5</d/log>, "\\x64" <unfinished ...>
7 101.000000 +++ killed by SIGKILL +++`),
    );
    expect(timesMs.slice(1, 4)).toEqual([100_500, 100_600, 100_700]);
    const [log, file] = [files.get('/d/log')!, files.get('/d/file')!];
    const results = (trace: typeof log, place: number): Set<string> =>
      new Set(Array.from({ length: 60 }, (_, n) => crashFile(Buffer.alloc(0), trace, place, new Dice(n)).toString()));
    expect(results(log, 1)).toEqual(new Set(['']));
    expect(results(log, 2)).toEqual(new Set(['', 'ab']));
    expect(results(log, 3)).toEqual(new Set(['ab'])); // synced
    expect(results(log, 6)).toEqual(new Set(['ab', 'a']));
    expect(results(file, 3)).toEqual(new Set(['']));
    expect(results(file, 6)).toEqual(new Set(['', '\0\0\0c']));
  });
});
