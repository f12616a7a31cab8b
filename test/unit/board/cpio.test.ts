import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCpio, encodeCpio, fileType, findFile, type CpioEntry } from '../../../src/board/cpio.ts';

const file = (path: string, text: string, mode = 0o644): CpioEntry => ({
  path,
  mode: fileType.file | mode,
  content: Buffer.from(text),
});
const plain = (entries: CpioEntry[]) =>
  entries.map(({ content, ...rest }) => ({ ...rest, hex: Buffer.from(content).toString('hex') }));

describe('cpio archives', () => {
  it('have the bytes that the newc format names', () => {
    const bytes = encodeCpio([file('a', 'hi\n', 0o755)]).toString('latin1');
    const header = [
      '070701', // magic
      '00000001', // ino
      '000081ed', // mode: regular file, 755
      '00000000', // uid
      '00000000', // gid
      '00000001', // nlink
      '00000000', // mtime
      '00000003', // filesize
      '00000000', // devmajor
      '00000000', // devminor
      '00000000', // rdevmajor
      '00000000', // rdevminor
      '00000002', // namesize
      '00000000', // check
    ].join('');
    const end = `0707010000000000000000000000000000000000000001${'00000000'.repeat(6)}0000000b00000000TRAILER!!!\0`;
    expect(bytes).toBe(`${header}a\0hi\n\0${end}\0\0\0`);
  });

  it('come back as they went in', () => {
    const name = fc.stringMatching(/^[a-z0-9._-]{1,12}$/).filter((text) => text !== '.' && text !== '..');
    const entry = fc.record({
      path: fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')),
      mode: fc.constantFrom(0o100644, 0o100755, 0o040755, 0o120777),
      content: fc.uint8Array({ maxLength: 40 }),
    });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 6 }), fc.uint8Array({ maxLength: 600 }), (entries, rest) => {
        const bytes = Buffer.concat([encodeCpio(entries), rest]);
        expect(plain(decodeCpio(bytes))).toEqual(plain(entries));
      }),
    );
  });

  it('are refused when they are cut or damaged, never half read', () => {
    const whole = encodeCpio([file('etc/name', 'harbour'), file('b', '')]);
    for (let length = 0; length < whole.length - 3; length++) {
      expect(() => decodeCpio(whole.subarray(0, length)), `first ${length} bytes`).toThrow(
        expect.objectContaining({ code: 'cpio-invalid' }),
      );
    }
    expect(() => decodeCpio(Buffer.alloc(1024, 0xff))).toThrow(expect.objectContaining({ code: 'cpio-invalid' }));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (junk) => {
        expect(() => decodeCpio(junk)).toThrow(expect.objectContaining({ code: 'cpio-invalid' }));
      }),
    );
  });

  it('are refused when a path leaves the archive', () => {
    for (const path of ['/etc/passwd', '../up', 'a/../../up', 'a//b', 'a/', './../x', '']) {
      expect(() => decodeCpio(encodeCpio([file(path, 'x')])), path).toThrow(
        expect.objectContaining({ code: 'cpio-invalid' }),
      );
    }
    expect(decodeCpio(encodeCpio([file('./etc/x', 'x')]))[0]?.path).toBe('etc/x');
  });

  it('give the content of a file by its path, of a file only', () => {
    const entries = decodeCpio(
      encodeCpio([{ path: 'etc', mode: 0o040755, content: new Uint8Array() }, file('etc/x', 'text')]),
    );
    expect(Buffer.from(findFile(entries, 'etc/x')!).toString()).toBe('text');
    expect(findFile(entries, 'etc')).toBeUndefined();
    expect(findFile(entries, 'etc/y')).toBeUndefined();
  });
});
