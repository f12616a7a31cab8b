import { describe, expect, it } from 'vitest';

import { engines, formatSelector, parseSelector } from '../../../src/selector/index.ts';
import { device, groupsOf, refusal, select } from './fleet.ts';

const fleet = [
  device('web-1', { os: 'Debian', site: 'fra', city: 'São Paulo', mac: '02:00:00:00:00:01' }, { ring: 'canary' }),
  device('web-2', { os: 'Alpine', site: 'zrh', path: 'C:\\x', fw: { version: '2.1.0' } }, { ring: 'stable' }),
  device('db1', { os: 'Debian', site: 'zrh', star: 'a*b', paren: '(x)', note: '' }),
  device('and', { os: 'none' }),
];

describe('what an expression selects', () => {
  it.each([
    ['*', 'and db1 web-1 web-2'],
    ['web-*', 'web-1 web-2'],
    ['G@os:debian and not I@ring:canary', 'db1'],
    ['G@os:debian not I@ring:canary', 'db1'],
    ['db1 or web-* and G@site:fra', 'db1 web-1'],
    ['( db1 or web-* ) and G@site:fra', 'web-1'],
    ['(db1 or web-*)and(G@site:fra)', 'web-1'],
    ['not(web-*)', 'and db1'],
    ['not web-* or web-1', 'and db1 web-1'],
    ['L@db1,web-2,nosuch,', 'db1 web-2'],
    ['E@web', 'web-1 web-2'],
    ['E@(web|db)-?1$', 'db1 web-1'],
    ['(E@(web|db)-?1$)', 'db1 web-1'],
    ['(E@[()]|db1)', 'db1'],
    ['E@"(web|db) ?-?1$"', 'db1 web-1'],
    ['G|@mac|02:00:*', 'web-1'],
    ['G@mac:02:00:*', 'web-1'],
    ['G@mac:"02:00:00:00:00:01"', 'web-1'],
    ['G)@os)Debian', 'db1 web-1'],
    ['G@@os@Debian', 'db1 web-1'],
    ['G@city:"São Paulo"', 'web-1'],
    ["G@city:'são p*'", 'web-1'],
    ['G@city:São\\ Paulo', 'web-1'],
    ['G@city:"S"ão?Paulo', 'web-1'],
    ['G@path:C:\\\\x', 'web-2'],
    ['G@star:a\\*b', 'db1'],
    ['G@star:a[*]b', 'db1'],
    ['G@paren:"(x)"', 'db1'],
    ['G@paren:\\(x\\)', 'db1'],
    ['G@note:""', 'db1'],
    ['"and"', 'and'],
    ['\\and', 'and'],
    ['L@and', 'and'],
    ['an?', 'and'],
    ['web-1\u3000or\n\tdb1', 'db1 web-1'],
    ['P@os:^(Debian|Alpine)$', 'db1 web-1 web-2'],
    ['J@ring:^c', 'web-1'],
    ['G@fw:vers*:2.*', 'web-2'],
  ])('%s', (text, ids) => {
    expect(select(text, fleet).join(' ')).toBe(ids);
  });

  it('is sorted by bytes', () => {
    const odd = ['b', 'a', 'B', '\u{1F680}', '\uFF01'].map((id) => device(id));
    expect(select('*', odd)).toEqual(['B', 'a', 'b', '\uFF01', '\u{1F680}']);
  });
});

describe('canonical text', () => {
  it.each([
    ['(a)', 'a'],
    ['a and (b and c)', 'a and ( b and c )'],
    ['a not b', 'a and not b'],
    ['not (a or b)', 'not ( a or b )'],
    ['G:@os:"Debian"', 'G@os:Debian'],
    ["G@city:'São Paulo'", 'G@city:"São Paulo"'],
    ['"G@os"', '"G@os"'],
    ['"NOT"', '"NOT"'],
    ['E@"(web|db)"', 'E@(web|db)'],
    ['G@x:"it\'s \\"new\\""', `G@x:"it's "'"'"new"'"'`],
    ['S@2001:DB8:0::7', 'S@2001:db8::7'],
    ['S@10.0.0.0/255.0.0.0', 'S@10.0.0.0/8'],
    ['L@a,,b', 'L@a,b'],
    ['G@x:">5"', 'G@x:">5"'],
    ['G@x:>=2.1.0   <3', 'G@x:>=2.1.0 <3'],
    ['(G@x:>5)and a', 'G@x:>5 and a'],
    ['G@x:!="a b"', 'G@x:!="a b"'],
    ['G@x:>"2026-11-26 08:00"', 'G@x:>"2026-11-26 08:00"'],
    ['I|@x|y|age<7d', 'I|@x|y|age<7d'],
    ['%10@', '%10@'],
    ['#050@"blue team"', '#50@"blue team"'],
  ])('of %s', (text, canonical) => {
    expect(formatSelector(parseSelector(text))).toBe(canonical);
  });
});

describe('a malformed expression', () => {
  it.each([
    ['', 'empty'],
    [' \n ', 'empty'],
    ['not G@site', 'missing-delimiter'],
    ['G@', 'missing-delimiter'],
    ['G@"os:Debian"', 'missing-delimiter'],
    ['G|@os:Debian', 'missing-delimiter'],
    ['G@os:', 'missing-value'],
    ['G@fw:version:', 'missing-value'],
    ['I@:x', 'missing-key'],
    ['P@os:""', 'missing-value'],
    ['E@', 'missing-value'],
    ['L@,', 'missing-value'],
    ['""', 'missing-value'],
    ['not ()', 'empty-parentheses'],
    ['( ( ) )', 'empty-parentheses'],
    ['(a', 'unclosed-parenthesis'],
    ['a)', 'unopened-parenthesis'],
    [')', 'missing-operand'],
    ['a and', 'missing-operand'],
    ['or a', 'missing-operand'],
    ['a or or b', 'missing-operand'],
    ['not', 'missing-operand'],
    ['a b', 'missing-operator'],
    ['a (b)', 'missing-operator'],
    ['(a) (b)', 'missing-operator'],
    ['db(1|2)', 'missing-operator'],
    ['a && b', 'missing-operator'],
    ['not not a', 'double-not'],
    ['a AND b', 'capital-operator'],
    ['Not a', 'capital-operator'],
    ['N@webs', 'unknown-group'],
    ['N@', 'missing-value'],
    ['N|@webs', 'bad-delimiter'],
    ['N@we/bs', 'bad-group-name'],
    ['N@""', 'missing-value'],
    ['R@a', 'unknown-engine'],
    ['not X@foo', 'unknown-engine'],
    ['g@os:Debian', 'unknown-engine'],
    ['g|@os|Debian', 'unknown-engine'],
    ['not %0@', 'bad-sample'],
    ['%101@', 'bad-sample'],
    ['%@', 'bad-sample'],
    ['%1O@', 'bad-sample'],
    ['#0@', 'bad-sample'],
    ['#1.5@', 'bad-sample'],
    ['#-5@', 'bad-sample'],
    ['not %10', 'bad-sample'],
    ['L|@a', 'bad-delimiter'],
    ['G||@os||Debian', 'bad-delimiter'],
    ['G"@os"Debian', 'bad-delimiter'],
    ['E@[', 'bad-regex'],
    ['a or E@( or b', 'bad-regex'],
    ['E@a)|(b', 'unopened-parenthesis'],
    ['E@"a)|(b"', 'bad-regex'],
    ['P@os:*', 'bad-regex'],
    ['P@nokey:[:x', 'bad-regex'],
    ['E@^(?!web)', 'bad-regex'],
    ['E@(a)\\1', 'bad-regex'],
    ['S@10.1.1.10/24', 'bad-address'],
    ['S@10.1', 'bad-address'],
    ['S@10.0.0.0/33', 'bad-address'],
    ['G@mem_mb:>=', 'missing-value'],
    ['G@mem_mb:>= 512', 'missing-value'],
    ['G@mem_mb:>=lots', 'bad-comparison'],
    ['G@mem_mb:=>512', 'bad-comparison'],
    ['G@mem_mb:<>512', 'bad-comparison'],
    ['G@mem_mb:==512', 'bad-comparison'],
    ['G@mem_mb:>=512 <=', 'missing-value'],
    ['G@os:!=deb*', 'bad-comparison'],
    ['G@seen:age<7', 'bad-comparison'],
    ['G@seen:age!=7d', 'bad-comparison'],
    ['G@seen:<7d', 'bad-comparison'],
    ['G@seen:<2026-02-30', 'bad-comparison'],
    ['G@:>=512', 'missing-key'],
    ['not <3', 'stray-comparison'],
    ['G@mem_mb:512 <3', 'missing-operator'],
    ['G@os:"Debian', 'unclosed-quote'],
    ['a\\', 'dangling-backslash'],
    ['a\u0007b', 'unprintable'],
    ['not web-*\u200B', 'unprintable'],
    ['"a\uD800"', 'unprintable'],
    ['('.repeat(65) + 'a' + ')'.repeat(65), 'too-deep'],
    [`G@${'a:'.repeat(64)}b`, 'too-deep'],
    ['a'.repeat(10_241), 'too-long'],
  ])('%.40s is refused as %s, with a place and a way out', (text, code) => {
    const error = refusal(text);
    expect(error.code).toBe(`selector-${code}`);
    expect(error.fault).toBe('usage');
    const { position, excerpt, suggestion, expected } = error.detail;
    expect(position).toBeDefined();
    expect(excerpt).toMatch(/^[^\n]*\n *\^+$/u);
    expect(suggestion).toBeTruthy();
    expect(expected).toBeTruthy();
  });

  it('shows the source line and a caret under what is wrong', () => {
    expect(refusal('web-* and not G@site').detail).toMatchObject({
      seen: 'G@site',
      position: { line: 1, column: 15 },
      excerpt: 'web-* and not G@site\n              ^^^^^^',
    });
  });

  it('counts lines and columns in characters, and keeps the caret under wide ones', () => {
    const { position, excerpt } = refusal('a or\n日本 or G@os').detail;
    expect(position).toEqual({ line: 2, column: 7 });
    expect(excerpt).toBe('日本 or G@os\n        ^^^^');
  });

  it('shows the part of a long line that matters', () => {
    const { excerpt = '', position } = refusal(`${'a or '.repeat(500)}G@os or ${'b or '.repeat(500)}c`).detail;
    const [source = '', caret = ''] = excerpt.split('\n');
    expect(source.length).toBeLessThan(90);
    expect(source.slice(caret.indexOf('^'), caret.length)).toBe('G@os');
    expect(position?.column).toBe(2501);
  });

  it('names the engines that exist', () => {
    for (const engine of engines) expect(refusal('X@webs').detail.expected).toContain(`${engine.letter}@`);
  });

  it('suggests quotes for a value with blanks', () => {
    expect(refusal('G@city:São Paulo').detail.suggestion).toContain('G@city:"São Paulo"');
  });

  it('suggests the network of an address with host bits', () => {
    expect(refusal('S@10.1.1.10/24').detail.suggestion).toContain('S@10.1.1.0/24');
  });

  it.each([
    ['web-* or E@a(b|c', 'a(b|c'],
    ['P@os:^(deb|[z-a])$', 'z-a'],
    ['E@^(?!web)', '(?!'],
    ['E@web-\\8', '\\8'],
    ['P@a:b:x**', '**'],
  ])('of %s puts the caret under the faulty part of the regex', (text, fault) => {
    const { position, excerpt = '' } = refusal(text).detail;
    const carets = excerpt.split('\n')[1] ?? '';
    expect(text.slice((position?.column ?? 0) - 1).slice(0, carets.trim().length)).toBe(fault);
  });

  it.each([
    ['R@web', 'N@'],
    ['G@seen:<7d', 'age<7d'],
    ['G@os:!=deb*', 'not G@'],
    ['g|@os|x', 'G|@'],
    ['a OR b', 'Write or'],
  ])('of %s suggests %s', (text, suggestion) => {
    expect(refusal(text).detail.suggestion).toContain(suggestion);
  });

  it('at the limits is still accepted', () => {
    expect(select(`${'('.repeat(64)}db1${')'.repeat(64)}`, fleet)).toEqual(['db1']);
    const list = `L@${'a,'.repeat(5_118)}db1`;
    expect(Buffer.byteLength(list)).toBeLessThanOrEqual(10_241);
    expect(select('a or '.repeat(2_047) + 'db1', fleet)).toEqual(['db1']);
  });
});

describe('every engine in the table', () => {
  it.each(engines.map(({ example }) => example))('has an example that parses: %s', (example) => {
    expect(formatSelector(parseSelector(example, groupsOf({ canary: '*' })))).toBe(example);
  });
});
