import { Args } from '@oclif/core';
import { BaseCommand } from '../src/cli/base-command.ts';
import { bashScript } from '../src/cli/completion/bash-script.ts';
import { commandRows, topicRows } from '../src/cli/completion/command-table.ts';
import { fishScript } from '../src/cli/completion/fish-script.ts';
import { zshScript } from '../src/cli/completion/zsh-script.ts';

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

interface Script {
  shell: string;
  script: string;
}

export default class Completion extends BaseCommand<Script> {
  static override description = `print the script that completes flotilla's commands in your shell
It completes commands, flags and files, and inside a selector what the coordinator knows: ids, grains after G@, values after G@site:, groups after N@. Without a coordinator it stays silent.`;
  static override examples = [
    `# bash: add to ~/.bashrc
source <(<%= config.bin %> <%= command.id %> bash)`,
    `# zsh: add to ~/.zshrc, after compinit
source <(<%= config.bin %> <%= command.id %> zsh)`,
    `# fish
<%= config.bin %> <%= command.id %> fish > ~/.config/fish/completions/flotilla.fish`,
  ];
  static override args = {
    shell: Args.string({ description: 'your shell', required: true, options: Object.keys(scripts) }),
  };

  protected async execute(): Promise<Script> {
    const { args } = await this.parse(Completion);
    const rows = commandRows(this.config.commands);
    return { shell: args.shell, script: scripts[args.shell as keyof typeof scripts](rows, topicRows(rows)) };
  }

  protected render({ script }: Script): void {
    this.print(script);
  }
}
