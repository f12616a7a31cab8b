import { describe, expect, it } from 'vitest';
import type { Packing } from '../../../src/protocol/columns/index.ts';
import type { Define, RowMessage } from '../../../src/protocol/message.ts';
import { readSchema } from '../../../src/protocol/schema-catalogue.ts';
import { RowFrames, type RowOption } from '../../../src/session/row-frames.ts';
import { meterAvro, meterFingerprint, readEventSet } from '../../support/wire-vector.ts';

const schemas = new Map([[meterFingerprint, readSchema(JSON.stringify(meterAvro))]]);
const rows = readEventSet('c1').slice(0, 100);
const rangeBit = 4;

function encoded(option: RowOption): RowMessage {
  const messages: (Define | RowMessage)[] = [];
  new RowFrames({ schemas, ...option }).encode(3, rows, (one) => messages.push(one));
  const [message] = messages;
  if (message?.type !== 'batch') throw new Error('not one batch');
  return message;
}

describe('the packing of a session', () => {
  it('is the range coder unless it is told otherwise', () => {
    expect(encoded({}).body[0]! & rangeBit).toBe(rangeBit);
    expect(encoded({ packing: 'range' }).body[0]! & rangeBit).toBe(rangeBit);
    expect(encoded({ packing: 'pack' }).body[0]! & rangeBit).toBe(0);
  });

  it.each<Packing>(['pack', 'range'])('%s is read by an end with the other one', (packing) => {
    const reader = new RowFrames({ schemas, packing: packing === 'pack' ? 'range' : 'pack' });
    const decoded = reader.decode(encoded({ packing }));
    if (!('rows' in decoded)) throw decoded;
    expect(decoded.rows.map(({ payload }) => Buffer.from(payload).toString('hex'))).toEqual(
      rows.map(({ payload }) => Buffer.from(payload).toString('hex')),
    );
  });
});
