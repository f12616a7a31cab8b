/** The script that starts the agent, by real shells; the programs are scripts of a shell, too. */
import { chmod, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { maxTrialStarts } from '../../../src/agent/program/program-verdict.ts';
import { launchedAgent, putOnTrial, textOf, type LaunchedAgent } from '../../support/launched-agent.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const one = '11111111-1111-5111-8111-111111111111';
const two = '22222222-2222-5222-8222-222222222222';
const say = (word: string, code = 0) => `echo ${word} "$@" $FLOTILLA_AGENT_BUNDLE\nexit ${code}\n`;

describe.each([
  { name: 'sh', shell: ['sh'] },
  { name: 'bash --posix', shell: ['bash', '--posix'] },
])('the launcher under $name', ({ shell }) => {
  async function device(trialSeconds?: number) {
    const dir = await temporaryDirectory();
    const agent = await launchedAgent(dir.path, {
      program: say('installed'),
      interpreter: shell,
      arguments: ['run', 'a b', '$HOME'],
      shell,
      ...(trialSeconds === undefined ? {} : { trialSeconds }),
    });
    const said = async () => (await agent.start()).stdout;
    return {
      ...agent,
      said,
      at: (name: string) => join(agent.programs, name),
      [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
    };
  }

  it('starts the installed one, with the words that it was given', async () => {
    await using on = await device();
    expect(await on.said()).toBe('installed run a b $HOME');
  });

  it('tries a program three times, counts before each start, and goes back by itself', async () => {
    await using on = await device();
    await putOnTrial(on.folder, two, `wc -c <${on.at(two)}/starts\nexit 7\n`);
    for (let start = 1; start <= maxTrialStarts; start += 1) {
      const { exitCode, stdout } = await on.start();
      expect({ exitCode, counted: Number(stdout) }).toEqual({ exitCode: 7, counted: start });
    }
    for (let more = 0; more < 2; more += 1) expect(await on.said()).toBe('installed run a b $HOME');
    expect(await on.folder.trial()).toMatchObject({ starts: 3, ends: [7, 7, 7], fits: true });
  });

  it('starts what has proven itself, and goes back to that, not further', async () => {
    await using on = await device();
    await putOnTrial(on.folder, one, say('one'));
    await on.folder.adopt(one);
    await on.folder.endTrial();
    expect(await on.said()).toBe(`one run a b $HOME ${one}`);
    await putOnTrial(on.folder, two, 'this is no program (\n');
    for (let start = 0; start < maxTrialStarts; start += 1) expect((await on.start()).exitCode).not.toBe(0);
    expect(await on.said()).toBe(`one run a b $HOME ${one}`);
  });

  it('does not start on trial what gave up', async () => {
    await using on = await device();
    await putOnTrial(on.folder, two, say('two'));
    await on.folder.fail(two, 'no-coordinator: none came');
    expect(await on.said()).toBe('installed run a b $HOME');
    expect(await on.folder.trial()).toMatchObject({ starts: 0, failed: 'no-coordinator: none came' });
  });

  it('passes over what is not whole, is not there, or was made for another installed agent', async () => {
    await using on = await device();
    await putOnTrial(on.folder, two, say('two'));
    await truncate(join(on.at(two), 'flotilla-agent.js'), 4);
    expect(await on.said()).toBe('installed run a b $HOME');
    await putOnTrial(on.folder, two, say('two'));
    await writeFile(join(on.at(two), 'base'), `${'0'.repeat(64)}\n`);
    expect(await on.said()).toBe('installed run a b $HOME');
    await rm(on.at(two), { recursive: true });
    await symlink('/etc', on.at('current'));
    expect(await on.said()).toBe('installed run a b $HOME');
    expect(await textOf(on.at('trial/starts'))).toBeUndefined();
  });

  it('does not start what it can not count', async () => {
    await using on = await device();
    await putOnTrial(on.folder, two, say('two'));
    await rm(on.at(`${two}/starts`));
    expect(await on.said()).toBe('installed run a b $HOME');
  });

  it('ends one that hangs, and says so', async () => {
    await using on = await device(61);
    await putOnTrial(on.folder, two, 'trap "" TERM\nwhile :; do sleep 1; done\n');
    await shorten(on, 1);
    expect((await on.start()).exitCode).toBe(137);
    expect(await on.folder.trial()).toMatchObject({
      starts: 1,
      ends: [137],
      failed: expect.stringContaining('trial-hung: ') as string,
    });
    expect(await on.said()).toBe('installed run a b $HOME');
  });

  it('passes a TERM on, and is the end of it', async () => {
    await using on = await device();
    await putOnTrial(on.folder, two, `trap 'echo ended; exit 0' TERM\necho up\nwhile :; do sleep 0.05; done\n`);
    const running = on.start();
    await new Promise((resolve) => running.stdout.once('data', resolve));
    running.kill('SIGTERM');
    const { exitCode, stdout } = await running;
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'up\nended' });
  });

  it('leaves one that has proven itself alone', async () => {
    await using on = await device(61);
    const proven = `ln -sfn ${two} ${on.at('current')}\nrm ${on.at('trial')}\nsleep 2.5\necho done\n`;
    await putOnTrial(on.folder, two, proven);
    await shorten(on, 2);
    expect(await on.said()).toBe('done');
    expect(await textOf(on.at(`${two}/failed`))).toBeUndefined();
  });
});

/** The shortest that a configuration allows is longer than a test should take. */
async function shorten(on: LaunchedAgent, seconds: number): Promise<void> {
  const path = join(on.programs, '../../launch');
  const text = (await textOf(path))!;
  await writeFile(path, text.replace("seconds='61'", `seconds='${seconds}'`));
  await chmod(path, 0o755);
}
