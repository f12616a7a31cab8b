import { describe, expect, it } from 'vitest';
import { bundleUuid } from '../../../src/firmware/archive/blake2b.ts';
import { parseMetaConf } from '../../../src/firmware/config/meta-conf.ts';
import { serializeMetaConf } from '../../../src/firmware/config/serialize.ts';
import { golden, readVector } from '../../support/fwup-vector.ts';

const files = golden.cases.flatMap(({ name, steps }) => steps.flatMap(({ fw }) => (fw ? [{ name, fw }] : [])));

describe.each(files)('meta.conf of $name/$fw.file', ({ name, fw }) => {
  const bytes = readVector(name, fw.meta_conf);

  it('has the UUID that fwup says', async () => {
    expect(await bundleUuid(bytes)).toBe(fw.uuid);
  });

  it('is written as it was read', () => {
    // Run-time variables stand for themselves here, so that the text can be compared.
    const itself = Object.fromEntries(
      [...bytes.toString('latin1').matchAll(/\$\{([^}]*)\}/g)].map(([whole, inside]) => [
        inside!.split(':-')[0]!,
        whole,
      ]),
    );
    const { root, unknown } = parseMetaConf(
      bytes,
      { uuid: '${FWUP_META_UUID}', nickname: '${FWUP_META_NICKNAME}', creationDate: '' },
      { variables: itself },
    );
    expect(unknown).toEqual([]);
    const again = serializeMetaConf(root);
    const expected = bytes.toString('latin1').replace('# Empty file\n', '');
    if (!expected.includes(':-')) expect(again || expected).toBe(expected);
  });
});

describe('a meta.conf that was tampered with or is newer', () => {
  const uuid = '00000000-0000-5000-0000-000000000000';
  const read = (text: string) => parseMetaConf(Buffer.from(text), { uuid, nickname: 'act-act', creationDate: '' });

  it.each([
    ['an open section', 'task "t" {\n'],
    ['a call', 'define(A, 1)'],
    ['an include', 'include("/etc/passwd")'],
    ['a list of calls that is too short', 'task "t" {\non-init {\nfunlist={3,info,a}\n}\n}\n'],
    ['a list of calls without counts', 'task "t" {\non-init {\nfunlist={info,a}\n}\n}\n'],
    ['a count of nothing', 'task "t" {\non-init {\nfunlist={0,0}\n}\n}\n'],
    ['a NUL byte', 'meta-product="a\0b"'],
  ])('%s is refused', (_what, text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'firmware-malformed', fault: 'refused' }));
  });

  it('skips what it does not know, and says so', () => {
    const { root, unknown } = read(
      'meta-new=1\nnew-section "x" {\ninner { a={1,2} }\n}\nmeta-product=p\nnew-list={a,b}\n',
    );
    expect(root.text('meta-product')).toBe('p');
    expect(unknown.map(({ name }) => name)).toEqual(['meta-new', 'new-section', 'new-list']);
  });
});
