import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseScriptState } from '../../../src/agent/slot/script-state.ts';
import { FlotillaError } from '../../../src/error.ts';

const uuid = 'c4fdd982-e737-5bdd-a446-016438174a14';
const good = `slots=a,b\nactive=b\npending=1\nbootcount=2\nrunning=a\na.uuid=\nb.uuid=${uuid}\nb.version=2.0.0\n`;

describe('what a slot script prints', () => {
  it('is read as lines and as JSON alike', () => {
    const state = {
      active: 'b',
      running: 'a',
      pending: true,
      bootCount: 2,
      slots: { a: {}, b: { uuid, version: '2.0.0' } },
    };
    expect(parseScriptState(good)).toEqual(state);
    const slots = { a: { uuid: null }, b: { uuid, version: '2.0.0' } };
    const document = { slots, active: 'b', running: 'a', pending: true, bootcount: 2 };
    expect(parseScriptState(JSON.stringify(document))).toEqual(state);
  });

  it.each([
    ['nothing', ''],
    ['one slot alone', good.replace('slots=a,b', 'slots=b')],
    ['the same slot twice', good.replace('slots=a,b', 'slots=a,b,a')],
    ['a slot that is no name', good.replace('slots=a,b', 'slots=a,b,../etc')],
    ['no active slot', good.replace('active=b\n', '')],
    ['an active slot that does not exist', good.replace('active=b', 'active=c')],
    ['a running slot that does not exist', good.replace('running=a', 'running=c')],
    ['no word about probation', good.replace('pending=1\n', '')],
    ['a probation that is neither', good.replace('pending=1', 'pending=maybe')],
    ['a count that is none', good.replace('bootcount=2', 'bootcount=-2')],
    ['a UUID that is none', good.replace(uuid, 'latest')],
    ['a line twice', `${good}active=a\n`],
    ['a line of something else', `${good}WARNING: no environment\n`],
    ['a name that nobody asked for', `${good}color=red\n`],
    ['half of a JSON object', '{"slots": {"a": {}, "b": {}}, "active": "b"'],
    ['a JSON object of another shape', '{"slots": {"a": {}, "b": {}}, "active": ["b"], "pending": false}'],
  ])('is refused with an explanation: %s', (_what, text) => {
    expect(() => parseScriptState(text)).toThrow(expect.objectContaining({ code: 'slot-script-invalid' }));
  });

  it('is a state or a refusal, whatever it is', () => {
    const line = fc.oneof(fc.constantFrom(...good.split('\n')), fc.string({ maxLength: 20 }));
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(line).map((lines) => lines.join('\n')),
          fc.json(),
        ),
        (text) => {
          try {
            const { active, slots } = parseScriptState(text);
            expect(Object.keys(slots)).toContain(active);
          } catch (error) {
            expect(error).toBeInstanceOf(FlotillaError);
          }
        },
      ),
    );
  });
});
