import { existsSync } from 'node:fs';
import { getCompileCacheDir } from 'node:module';
import { join } from 'node:path';
import { Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { FlotillaError } from '../../src/error.ts';

export default class Run extends BaseCommand<never> {
  static override description = `run the agent of this device
It stays in the foreground for a supervisor such as systemd, logs to stderr, and waits for a coordinator that is away. SIGTERM stops it in order.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> --config meter-1/agent.yaml
{"level":30,"time":"2026-03-01T08:00:00.000Z","name":"agent","device":"meter-1","msg":"agent started"}`,
  ];
  static override flags = {
    config: Flags.file({ description: "the agent's file; `agent init` writes one", required: true, helpValue: 'FILE' }),
  };

  protected async execute(): Promise<never> {
    const { flags } = await this.parse(Run);
    const built = join(this.config.root, 'src', 'bin', 'agent.js');
    const entry = existsSync(built) ? built : join(this.config.root, 'src', 'bin', 'agent.ts');
    const cache = getCompileCacheDir();
    // The same process goes on as the agent: a supervisor's signals and pid stay true.
    process.execve?.(
      process.execPath,
      [process.execPath, '--disable-warning=ExperimentalWarning', entry, '--config', flags.config],
      { ...process.env, ...(cache === undefined ? {} : { NODE_COMPILE_CACHE: cache }) } as Record<string, string>,
    );
    throw new FlotillaError('ours', 'agent-exec', 'this system cannot replace a process (execve)', {
      suggestion: `run it yourself: node ${entry} --config ${flags.config}`,
    });
  }

  protected render(): void {}
}
