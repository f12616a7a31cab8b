import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import {
  fillAction,
  fillShell,
  fillText,
  requireTemplates,
  templateKeys,
} from '../../../src/coordinator/job/argument-template.ts';
import { factValue } from '../../../src/coordinator/job/fact-value.ts';

const nasty = `a'b"c $(echo hacked) \`echo hacked\` \\ ; echo hacked & | > * ~ {{id}}\n-n`;
const device = {
  id: 'd-1',
  tags: { ring: 'a' },
  grains: { site: nasty, net: { ip: '192.0.2.7' }, 'a.b': 1, list: [1] },
};
const valueOf = (key: string) => factValue(key, device);

describe('a value in an argument', () => {
  it('stays one piece of text in its place, and is not read as a template', () => {
    expect(fillText('<{{site}}|{{net.ip}}|{{net:ip}}|{{a.b}}|{{tag:ring}}|{{ id }}>', valueOf)).toBe(
      `<${nasty}|192.0.2.7|192.0.2.7|1|a|d-1>`,
    );
    expect(fillText('{{{{.Names}} {{id}}', valueOf)).toBe('{{.Names}} d-1');
    expect(templateKeys(['{{id}} {{{{x}}', '{{net.ip}}'])).toEqual(['id', 'net.ip']);
  });

  it.each(['{{.Names}}', '{{}}', '{{a b}}', '{{id', '{{{id}}}'])('is refused where %s is no key', (text) => {
    expect(() => templateKeys([text])).toThrow('not followed by a key');
  });

  it('is missing, or no single value, or would lead a path astray: the key is named', () => {
    expect(() => fillText('{{nothing}}', valueOf)).toThrow('it has no nothing');
    expect(() => fillText('{{list}}', valueOf)).toThrow('its list is not a single value');
    expect(() => fillText('{{constructor}}', valueOf)).toThrow('it has no constructor');
    const up = () => '..';
    expect(() => fillAction({ kind: 'get', path: '/var/{{id}}/x', maxBytes: 1 }, up)).toThrow(
      "can't be part of a path",
    );
  });

  it('is refused in single quotes, where a shell expands nothing', () => {
    const command = (text: string, shell: boolean) => () => requireTemplates({ kind: 'command', argv: [text], shell });
    expect(command(`echo '{{id}}'`, true)).toThrow('{{id}} stands in single quotes');
    expect(command(`echo "it's {{id}}"`, true)).not.toThrow();
    expect(command(`echo '{{{{.Names}}' {{id}}`, true)).not.toThrow();
    expect(command(`it's {{id}}`, false)).not.toThrow();
  });

  it.each([
    ['bare', `printf '%s.' {{site}}`, `${nasty}.`],
    ['within a word', `printf '%s.' x{{site}}y`, `x${nasty}y.`],
    ['in double quotes', `printf '%s.' "<{{site}}>" {{id}}`, `<${nasty}>.d-1.`],
    ['behind an escaped quote', `printf '%s.' \\"{{id}} "\\"{{site}}"`, `"d-1."${nasty}.`],
    ['in a heredoc', `cat <<EOF\n{{site}}\nEOF`, `"${nasty}"\n`],
    ['in a command substitution', `printf '%s.' "$(printf '%s' {{site}})"`, `${nasty}.`],
  ])('is never a command for a shell: %s', async (_, text, expected) => {
    const { stdout } = await execa('/bin/sh', ['-c', fillShell(text, valueOf)], { stripFinalNewline: false });
    expect(stdout).toBe(expected);
  });
});
