/** The completion scripts, in the shells themselves; a fleet in a file stands for the coordinator. */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { flotilla, launcher } from '../support/cli.ts';
import { hasTools } from '../support/system-tool.ts';
import { temporaryDirectory } from '../support/temporary.ts';

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
let env: Record<string, string>;

beforeAll(async () => {
  scratch = await temporaryDirectory();
  const bin = join(scratch.path, 'bin');
  await mkdir(bin);
  await symlink(launcher, join(bin, 'flotilla'));
  await symlink(process.execPath, join(bin, 'node'));
  env = { PATH: `${bin}:${process.env['PATH']}`, HOME: scratch.path, LC_ALL: 'C.UTF-8', XDG_CONFIG_HOME: scratch.path };
  const devices = [
    { id: 'gw-1', grains: { site: 'fra', city: 'São Paulo' }, tags: { ring: 'canary' } },
    { id: 'gw-2', grains: { site: 'zrh', city: 'Bern' } },
  ];
  await writeFile(join(scratch.path, 'fleet.json'), JSON.stringify({ devices, groups: { canary: 'gw-1' } }));
});

afterAll(() => scratch[Symbol.asyncDispose]());

const count = 'flotilla select count --fleet fleet.json';
/** What is typed, and what is offered: whole words, but for bash, which replaces what is behind its own break. */
const typed: [line: string, words: string[], inBash?: string[]][] = [
  ['flotilla devi', ['device']],
  ['flotilla device list --st', ['--state']],
  ['flotilla device list --state re', ['rejected', 'revoked']],
  [`${count} gw`, ['gw-1', 'gw-2']],
  [`${count} G@si`, ['G@site:'], ['site:']],
  [`${count} G@site:`, ['G@site:fra', 'G@site:zrh'], ['fra', 'zrh']],
  [`${count} 'G@city:`, ['G@city:Bern', 'G@city:"São Paulo"']],
  [`${count} 'G@site:fra and not ( I@r`, ['G@site:fra and not ( I@ring:']],
  [`${count} 'gw-2 or N@`, ['gw-2 or N@canary']],
  [`flotilla select count --fleet nowhere.json 'G@`, []],
];

async function script(shell: string): Promise<string> {
  const { stdout } = await flotilla(['completion', shell]);
  const path = join(scratch.path, `completion.${shell}`);
  await writeFile(path, stdout);
  return path;
}

/** One process for all lines; each answers with a line of words between tabs. */
async function offered(shell: string, args: string[], driver: string): Promise<string[][]> {
  const ran = await execa(shell, [...args, '-c', driver], {
    cwd: scratch.path,
    env,
    reject: false,
    timeout: 60_000,
    stdin: 'ignore',
  });
  expect(ran.stderr).toBe('');
  return ran.stdout.split('\n').map((line) => line.split('\t').filter((word) => word !== ''));
}

const quoted = (line: string): string => `'${line.replaceAll("'", String.raw`'\''`)}'`;

it.skipIf(!hasTools('completion in bash', 'bash'))('bash offers what may follow', async () => {
  const driver = `source ${await script('bash')}
compopt() { :; }
for COMP_LINE in ${typed.map(([line]) => quoted(line)).join(' ')}; do
  COMP_POINT=\${#COMP_LINE} COMP_WORDBREAKS=$' \\t\\n"\\'@><=;|&(:'
  _flotilla; printf '%s\\t' "\${COMPREPLY[@]}"; echo
done`;
  const words = await offered('bash', ['--norc'], driver);
  expect(words.slice(0, typed.length)).toEqual(typed.map(([, whole, inBash]) => inBash ?? whole));
});

it.skipIf(!hasTools('completion in zsh', 'zsh'))('zsh offers what may follow', async () => {
  // Outside its line editor zsh has no compadd: here it prints, and picks by the prefix as zsh does.
  const driver = `compdef() { : }
compadd() {
  local -a list
  [[ $1 == -S ]] && shift 2
  list=("\${(@P)2}")
  local word; for word in "\${list[@]}"; do [[ $word == "$PREFIX"* ]] && printf '%s\\t' $word; done
}
source ${await script('zsh')}
for line prefix in ${typed.map(([line]) => `${quoted(line)} ${quoted(lastWord(line))}`).join(' ')}; do
  words=(\${(z)line}) CURRENT=$#words PREFIX=$prefix
  _flotilla; echo
done`;
  const words = await offered('zsh', ['-f'], driver);
  expect(words.slice(0, typed.length).map((line) => line.toSorted())).toEqual(
    typed.map(([, whole]) => whole.toSorted()),
  );
});

it.skipIf(!hasTools('completion in fish', 'fish'))('fish offers what may follow', async () => {
  const driver = `source ${await script('fish')}
for line in ${typed.map(([line]) => `'${line.replaceAll("'", String.raw`\'`)}'`).join(' ')}
  complete -C $line | string join \\t
  echo
end`;
  const words = (await offered('fish', ['--no-config'], driver)).filter((line) => line.length > 0);
  expect(words.map((line) => line.toSorted())).toEqual(
    typed.map(([, whole]) => whole.toSorted()).filter((whole) => whole.length > 0),
  );
});

/** As zsh gives it: without the quote that is open. */
function lastWord(line: string): string {
  const quote = line.indexOf("'");
  return quote === -1 ? (line.split(' ').at(-1) ?? '') : line.slice(quote + 1);
}
