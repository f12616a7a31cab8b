import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRequestReader } from '../../../src/agent/door/read-request.ts';
import { requestSchemas } from '../../../src/door/index.ts';

const read = createRequestReader();
const readText = (text: string) => read(Buffer.from(text));

describe('a line at the door', () => {
  it('is a request, or an error that carries its id; whatever it holds, reading it never throws', () => {
    const verb = fc.constantFrom(...Object.keys(requestSchemas), 'nonsense', 7, null);
    const number = fc.double().map((value) => (Object.is(value, -0) ? 0 : value)); // JSON has but one zero
    const id = fc.oneof(fc.nat(), fc.string({ maxLength: 70 }), number, fc.constant(undefined));
    const fields = fc.dictionary(
      fc.constantFrom('type', 'key', 'value', 'rows', 'name', 'version', 'x'),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(id, verb, fields, (id_, verb_, rest) => {
        const result = readText(JSON.stringify({ ...rest, id: id_, verb: verb_ }));
        if ('error' in result) expect([null, id_]).toContain(result.id);
        else expect(result.request.id).toBe(id_);
      }),
      { numRuns: 2_000 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void read(bytes)));
  });

  it.each([
    ['not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), null, true],
    ['not an object', Buffer.from('[1]'), null, true],
    ['without an id', Buffer.from('{"verb":"status"}'), null, true],
    ['with an id that is too long', Buffer.from(`{"id":"${'x'.repeat(65)}","verb":"status"}`), null, true],
    ['with an id below zero', Buffer.from('{"id":-1,"verb":"status"}'), null, true],
    ['with no verb', Buffer.from('{"id":1}'), 1, true],
    ['with a verb of a later version', Buffer.from('{"id":1,"verb":"later"}'), 1, false],
    ['with the name of a shape as its verb', Buffer.from('{"id":1,"verb":"publish rows","rows":[]}'), 1, false],
    ['with a field that its verb has not', Buffer.from('{"id":1,"verb":"status","x":1}'), 1, true],
    ['with no rows', Buffer.from('{"id":1,"verb":"publish","rows":[]}'), 1, true],
    ['with a row and rows', Buffer.from('{"id":1,"verb":"publish","rows":[{"type":"a"}],"type":"a"}'), 1, true],
  ])('%s is refused', (_, line, id, bad) => {
    expect(read(line)).toMatchObject({ id, bad, error: { fault: 'usage' } });
  });
});
