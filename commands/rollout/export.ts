import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { plural } from '../../src/cli/human.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { exportRollout } from '../../src/cli/export-rollout.ts';

interface Exported {
  rollout: string;
  steps: number;
}

export default class Export extends BaseCommand<Exported> {
  static override streams = true;
  static override description = `write all that a rollout went by, one JSON document a line: its plan, each step, its outcome
\`rollout simulate --recording FILE\` goes through it again: the same rules give the same outcome. With --out the file is there only when it is whole.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> r-81ac --out r-81ac.ndjson
72 steps of r-81ac`,
    '<%= config.bin %> <%= command.id %> r-81ac | jq -c select(.kind==\\"step\\").input.kind',
  ];
  static override args = { rollout: Args.string({ description: 'the id of the rollout', required: true }) };
  static override flags = {
    out: Flags.string({ description: 'write into this file, which is replaced when all is there', helpValue: 'FILE' }),
  };

  protected async execute(): Promise<Exported> {
    const { args, flags } = await this.parse(Export);
    const client = await openClient(flags);
    const steps = await exportRollout(client.rolloutRecording(args.rollout), flags.out);
    this.note(`${plural(steps, 'step')} of ${args.rollout}`);
    return { rollout: args.rollout, steps };
  }

  protected render(): void {}
}
