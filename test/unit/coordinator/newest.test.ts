import { describe, expect, it } from 'vitest';
import { newestChanges, newestWrites } from '../../../src/coordinator/core/newest.ts';
import type { Change } from '../../../src/coordinator/core/core-state.ts';
import type { Write } from '../../../src/store/write.ts';

const device = (position: number, document: unknown, output?: unknown): Write => ({
  kind: 'job-device',
  member: { parentId: 'j1', position, deviceId: `d${position}`, document, ...(output === undefined ? {} : { output }) },
});
const job = (document: unknown): Write => ({ kind: 'job', job: { id: 'j1', active: true, startedAtMs: 1, document } });

describe('the writes of a turn', () => {
  it('are those that stand at the end, in order', () => {
    const writes = [job('a'), device(0, 'a'), device(1, 'a'), job('b'), device(0, 'b')];
    expect(newestWrites(writes)).toEqual([device(1, 'a'), job('b'), device(0, 'b')]);
  });

  it('keep the output that an earlier write of the same row has brought', () => {
    expect(newestWrites([device(0, 'a', { stdout: 'x' }), device(0, 'b')])).toEqual([device(0, 'b', { stdout: 'x' })]);
    expect(newestWrites([device(0, 'a', { stdout: 'x' }), device(0, 'b', { stdout: 'y' })])).toEqual([
      device(0, 'b', { stdout: 'y' }),
    ]);
  });

  it('never lose what is not replaced: two events, two audit rows, a removal between', () => {
    const writes: Write[] = [
      { kind: 'request-removed', request: { row: 1, deviceId: 'a', lane: 0 }, given: [0, 0, 0, 0] },
      { kind: 'meta', key: 'a', value: '1' },
      { kind: 'request-removed', request: { row: 1, deviceId: 'a', lane: 0 }, given: [0, 0, 0, 0] },
      { kind: 'meta', key: 'a', value: '2' },
    ];
    expect(newestWrites(writes)).toEqual(writes);
  });
});

describe('what followers are told of a turn', () => {
  it('is every device, and of the job and the log the last word', () => {
    const member = { parentId: 'j1', position: 0, deviceId: 'd0', document: {} };
    const document = (matched: number) => ({ id: 'j1', matched }) as Extract<Change, { kind: 'job' }>['document'];
    const changes: Change[] = [
      { kind: 'event' },
      { kind: 'job', document: document(1) },
      { kind: 'job-device', member },
      { kind: 'event' },
      { kind: 'job', document: document(2) },
    ];
    expect(newestChanges(changes)).toEqual(changes.slice(2));
  });
});
