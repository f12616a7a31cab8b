import { describe, expect, it } from 'vitest';
import { asksForJson } from '../../../src/cli/base-command.ts';
import { parsePhase } from '../../../src/cli/phase.ts';
import { parseShare } from '../../../src/cli/share.ts';
import { parseTagChanges } from '../../../src/cli/tag-change.ts';
import { unknownCommand } from '../../../src/cli/unknown-command.ts';

describe('phases', () => {
  it('are a size, and perhaps a selector that may hold an @ itself', () => {
    expect(parsePhase('2')).toEqual({ size: '2' });
    expect(parsePhase('25%', 600)).toEqual({ size: '25%', soakSeconds: 600 });
    expect(parsePhase('1@I@ring:canary and gw-*')).toEqual({ size: '1', selector: 'I@ring:canary and gw-*' });
  });

  it.each(['', 'all', '5 %', '-1', '10%@', '@gw-*'])('refuse %j', (text) => {
    expect(() => parsePhase(text)).toThrow('this is no phase');
  });
});

describe('shares', () => {
  it('are a percentage or a fraction', () => {
    expect([
      parseShare('10%', '--s'),
      parseShare('0.25', '--s'),
      parseShare('100%', '--s'),
      parseShare(undefined, '--s'),
    ]).toEqual([0.1, 0.25, 1, undefined]);
  });

  it.each(['0', '0%', '101%', '1.5', 'ten', '%'])('refuse %j', (text) => {
    expect(() => parseShare(text, '--max-failure-share')).toThrow('--max-failure-share is not a share');
  });
});

describe('tag changes', () => {
  it('set with = and remove with a trailing dash', () => {
    expect(parseTagChanges(['ring=canary', 'owner-', 'note=a=b c', 'empty=', 'a-b=1'])).toEqual({
      set: { ring: 'canary', note: 'a=b c', empty: '', 'a-b': '1' },
      unset: ['owner'],
    });
  });

  it.each([['ring'], ['Ring=x'], ['=x'], ['-'], ['--flag'], ['a b=c']])('refuse %j', (word) => {
    expect(() => parseTagChanges([word])).toThrow('this is no change of a tag');
  });

  it('refuse to change one tag twice', () => {
    expect(() => parseTagChanges(['a=1', 'a-'])).toThrow('the tag a is changed twice');
  });

  it('treat names of Object.prototype as plain names', () => {
    expect(parseTagChanges(['constructor=1'])).toEqual({ set: { constructor: '1' }, unset: [] });
  });
});

describe('words that are no command', () => {
  const ids = ['device:list', 'device:show', 'run', 'rollout:start'];
  it('name the commands of their topic', () => {
    const { code, detail } = unknownCommand('device', ids);
    expect([code, detail.expected]).toEqual(['command-incomplete', 'device list, device show']);
  });

  it.each([
    ['devcie:list', 'flotilla device list'],
    ['rollout:sart:x', 'flotilla rollout start'],
    ['zzzzzz', 'flotilla --help'],
  ])('suggest for %s', (words, suggestion) => {
    expect(unknownCommand(words, ids).detail.suggestion).toBe(suggestion);
  });
});

describe('--json', () => {
  it('is ours only before --', () => {
    expect([asksForJson(['run', '*', '--json', '--', 'x']), asksForJson(['run', '*', '--', 'x', '--json'])]).toEqual([
      true,
      false,
    ]);
  });
});
