/** The CLI's contract: what every command must have, and the snapshot of every name that a script may rely on. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { top } from './support/cli.ts';
import { loadCommands, type LoadedCommand } from './support/command-list.ts';

const snapshotPath = join(import.meta.dirname, 'snapshots', 'commands.json');
const commands = await loadCommands();

describe.each(commands)('flotilla $name', ({ command }) => {
  const flags = { ...command.baseFlags, ...command.flags };

  it('says what it does and shows examples', () => {
    expect(command.description?.trim()).toBeTruthy();
    expect(command.examples?.length ?? 0).toBeGreaterThan(0);
  });

  it('has a description for every flag and argument', () => {
    const silent = [...Object.entries(flags), ...Object.entries(command.args ?? {})].filter(
      ([, { description }]) => !description,
    );
    expect(silent.map(([name]) => name)).toEqual([]);
  });

  it('takes --json and --fleet-dir', () => {
    expect(Object.keys(flags)).toEqual(expect.arrayContaining(['json', 'fleet-dir']));
  });
});

describe('the commands', () => {
  it('stand under topics that say what they are about', () => {
    const { oclif } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')) as { oclif: { topics: object } };
    const words = commands.map(({ name }) => name.split(' '));
    const topics = words.flatMap((each) => each.slice(1).map((_, index) => each.slice(0, index + 1).join(':')));
    expect([...new Set(topics)].toSorted()).toEqual(Object.keys(oclif.topics).toSorted());
  });

  it('are those of snapshots/commands.json; UPDATE=1 accepts a change', () => {
    const now = `${JSON.stringify(Object.fromEntries(commands.map(summarize)), null, 2)}\n`;
    if (process.env['UPDATE']) writeFileSync(snapshotPath, now);
    expect(now).toBe(readFileSync(snapshotPath, 'utf8'));
  });
});

/** Names, not texts: what breaks a script when it changes. */
function summarize({ name, command }: LoadedCommand) {
  const flags = Object.entries({ ...command.baseFlags, ...command.flags }).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const summary = {
    args: Object.entries(command.args ?? {}).map(([arg, { required }]) => (required ? arg : `[${arg}]`)),
    flags: flags.map(([flag, { type, char, required }]) =>
      [`--${flag}`, char && `-${char}`, type === 'option' && 'VALUE', required && 'required'].filter(Boolean).join(' '),
    ),
    ...(command.aliases?.length ? { aliases: command.aliases } : {}),
    ...(command.streams ? { streams: true } : {}),
    ...(command.strict ? {} : { variadic: true }),
  };
  return [name, summary] as const;
}
