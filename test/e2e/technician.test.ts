/**
 * The technician's path, as a person walks it: answers are typed at a terminal, the reader of the output goes away in the
 * middle, the line to the host breaks. Against a real sshd on a host of its own.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBareHost, whyNoBareHost, type BareHost } from '../support/bare-host.ts';
import { launcher } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import { hasTools, toolPath } from '../support/system-tool.ts';
import { startTerminal, type TerminalSession } from '../support/terminal-session.ts';

const purpose = "the technician's path, with typed answers";
const skip = !hasTools(purpose, 'tmux', 'bash') || (await whyNoBareHost(purpose)) !== undefined;
const password = 'right horse';

describe.skipIf(skip)('a technician at a terminal', () => {
  let fleet: TestFleet;
  let host: BareHost;
  let terminal: TerminalSession;
  beforeAll(async () => {
    [fleet, host] = await Promise.all([createFleet(), startBareHost({ password })]);
    const bin = join(fleet.scratch, 'bin');
    await mkdir(bin);
    await writeFile(join(bin, 'flotilla'), `#!/bin/sh\nexec '${process.execPath}' '${launcher}' "$@"\n`, {
      mode: 0o755,
    });
    const home = { HOME: fleet.scratch, XDG_CONFIG_HOME: join(fleet.scratch, 'config') };
    terminal = await startTerminal({ ...home, FLOTILLA_FLEET_DIR: fleet.dir, PATH: `${bin}:${toolPath}` });
    await terminal.reads('> ');
  });
  afterAll(async () => {
    await terminal?.[Symbol.asyncDispose]();
    await host?.[Symbol.asyncDispose]();
    await fleet?.[Symbol.asyncDispose]();
  });

  const known = (): string => join(fleet.scratch, '.ssh', 'known_hosts');
  const place = (): string => `root@127.0.0.1:${host.port} --id t-1`;
  const coordinator = (): string => `--coordinator 127.0.0.1:${fleet.port}`;
  const ends = async (code: number): Promise<string> => {
    const text = await terminal.reads(/exit=\d+/);
    expect(text).toMatch(new RegExp(`exit=${code}$`));
    return text;
  };

  it('opens a key by its passphrase, and is asked about a host that nobody knows', async () => {
    const ask = `flotilla provision ssh ${place()} -i ${host.encryptedKeyFile} --ask-host-keys ${coordinator()}`;
    await terminal.type(`${ask}; echo exit=$?`);
    await terminal.reads('Passphrase of');
    await terminal.type('wrong horse');
    await terminal.reads('does not open it');
    await terminal.reads('Passphrase of');
    await terminal.type(host.passphrase);
    expect(await terminal.reads('to trust it:')).toContain(host.fingerprint);
    await terminal.type('no');
    expect(await ends(4)).toContain('nobody knows the key');
    await expect(readFile(known())).rejects.toMatchObject({ code: 'ENOENT' });

    await terminal.type(`${ask.replace(' ssh ', ' verify ')}; echo exit=$?`);
    await terminal.reads('Passphrase of');
    await terminal.type(host.passphrase);
    await terminal.reads('to trust it:');
    await terminal.type('yes');
    expect(await ends(4)).toContain('no certificate');
    expect(await readFile(known(), 'utf8')).toBe(host.hostKeyLine);
    expect(await host.traces()).toEqual([]);
  });

  it('provisions, whoever reads along: the reader goes, the line breaks, the work is done and the exit code true', async () => {
    const command = `flotilla provision ssh ${place()} -i ${host.keyFile} ${coordinator()}`;
    await terminal.type(`${command} 2>&1 | head -n 1; echo exit=\${PIPESTATUS[0]}`);
    await terminal.reads('127.0.0.1 as t-1');
    await eventually('it is at work', async () => (await host.traces()).length > 0, { everyMs: 20 });
    await host.cut();
    await ends(0);
    expect((await fleet.cli(['device', 'show', 't-1', '--json'])).json()).toMatchObject({ connected: true });
    const ofTheRun = async () => (await host.traces()).filter((line) => line.includes('flotilla-provision'));
    await eventually('no trace of the run is left', async () => (await ofTheRun()).length === 0);
    await terminal.type(`${command}; echo exit=$?`);
    expect(await ends(0)).toContain('nothing to change');
  });

  it('takes the device away by a typed password and a typed id, and shows no secret', async () => {
    await terminal.type(`flotilla provision remove ${place()} --ask-password; echo exit=$?`);
    await terminal.reads('Password of the hosts:');
    await terminal.type(password);
    await terminal.reads('Type t-1 to go on:');
    await terminal.type('t-1');
    expect(await ends(0)).toContain('removed');
    await eventually('no trace is left', async () => (await host.traces()).length === 0);
    const seen = await terminal.screen();
    for (const secret of [password, host.passphrase, 'wrong horse']) expect(seen).not.toContain(secret);
  });
});
