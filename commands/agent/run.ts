import { Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { becomeEntryPoint, findEntryPoint } from '../../src/cli/entry-point.ts';
import { loadAgentConfig } from '../../src/config/load-agent-config.ts';

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
    // A mistake in the file is told before the process becomes the agent.
    await loadAgentConfig(flags.config);
    const json = this.json ? ['--json'] : [];
    return becomeEntryPoint(findEntryPoint(this.config.root, 'agent', ['--config', flags.config, ...json]));
  }

  protected render(): void {}
}
