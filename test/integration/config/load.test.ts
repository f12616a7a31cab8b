import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, loadAgentConfig, loadCoordinatorConfig } from '../../../src/config/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeAll(async () => {
  scratch = await temporaryDirectory();
});
afterAll(() => scratch[Symbol.asyncDispose]());

async function write(name: string, text: string): Promise<string> {
  const path = join(scratch.path, name);
  await writeFile(path, text);
  return path;
}

describe('loading a file', () => {
  it('makes the paths of coordinator.yaml absolute from the place of the file', async () => {
    const file = await write('coordinator.yaml', 'fleetId: f1\ndata: ../elsewhere\nsocket: /run/x.sock\n');
    expect(await loadCoordinatorConfig(file)).toMatchObject({
      data: join(scratch.path, '..', 'elsewhere'),
      socket: '/run/x.sock',
    });
  });

  it("makes every path of the agent's file absolute", async () => {
    const file = await write(
      'agent.yaml',
      `coordinator: { host: h }
boot: { slotFile: slot }
log: { file: agent.log }
update:
  product: p
  platform: q
  keys: [a.pub, /etc/b.pub]
  destination: disk.img
  slot: { blockOffset: 1, blockCount: 1 }
  watchdog: { file: dog }
`,
    );
    const at = (name: string) => join(scratch.path, name);
    const config = await loadAgentConfig(file);
    expect(config.identity).toMatchObject({
      key: at('device.key'),
      certificate: at('device.crt'),
      authority: at('authority.crt'),
    });
    expect(config).toMatchObject({
      state: at('state'),
      grains: { file: at('grains.yaml'), directory: at('grains.d') },
      boot: { idFile: '/proc/sys/kernel/random/boot_id', slotFile: at('slot') },
      log: { level: 'info', file: at('agent.log') },
      update: { keys: [at('a.pub'), '/etc/b.pub'], destination: at('disk.img'), watchdog: { file: at('dog') } },
    });
  });

  it('refuses a socket whose path no unix socket can have', async () => {
    const deep = join(scratch.path, 'd'.repeat(100));
    await mkdir(deep);
    await writeFile(join(deep, 'coordinator.yaml'), 'fleetId: f1\n');
    const error = await loadCoordinatorConfig(join(deep, 'coordinator.yaml')).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toMatchObject({ message: expect.stringContaining('too long') });
  });

  it('says what to do when there is no file, a folder, or far too much', async () => {
    const code = (value: string) => expect.objectContaining({ name: 'FlotillaError', fault: 'usage', code: value });
    await expect(loadCoordinatorConfig(join(scratch.path, 'absent.yaml'))).rejects.toEqual(code('config-unreadable'));
    await expect(loadAgentConfig(scratch.path)).rejects.toEqual(code('config-unreadable'));
    const large = await write('large.yaml', `# ${'x'.repeat(1024 * 1024)}\n`);
    await expect(loadAgentConfig(large)).rejects.toEqual(code('config-too-large'));
  });

  it('names the file, the line and the column of a problem', async () => {
    const file = await write('bad.yaml', 'coordinator: { host: h }\nstate: [x]\n');
    await expect(loadAgentConfig(file)).rejects.toMatchObject({ detail: { position: { file, line: 2, column: 8 } } });
  });
});
