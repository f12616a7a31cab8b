import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../../src/cli/base-command.ts';
import { doorFlags } from '../../../src/cli/door-flag.ts';
import { parseDuration } from '../../../src/cli/duration.ts';
import { formatTime } from '../../../src/cli/human.ts';
import { openAgentDoor } from '../../../src/cli/open-door.ts';
import { FlotillaError } from '../../../src/error.ts';

/** Empty: updates are not put off any more. */
interface Deferred {
  untilMs?: number;
  reason?: string;
}

export default class Defer extends BaseCommand<Deferred> {
  static override description = `at the device: put updates off for a while
Nothing of an update begins before then: no download, no installation, no restart. What has begun goes on. It holds for the update under way and for those that come. Another deferral takes the place of the one before.

How long one update may be put off in all is up to the owner (update.limits.deferSeconds in agent.yaml) and to the rollout: the answer says until when it was granted. Behind that the update goes on.

Exit codes: 0 put off, 6 the limit is used up, 7 no agent answers.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> 2h --reason 'a patient is connected'
updates are put off until 2026-11-26 10:00:05Z`,
    `$ <%= config.bin %> <%= command.id %> --end
updates are not put off`,
  ];
  static override args = {
    duration: Args.string({ description: 'for how long: 45m, 2h, 1d' }),
  };
  static override flags = {
    ...doorFlags,
    reason: Flags.string({
      description: 'why; the operator of the rollout reads it',
      helpValue: 'TEXT',
      exclusive: ['end'],
    }),
    end: Flags.boolean({ description: 'do not put updates off any more' }),
  };

  protected async execute(): Promise<Deferred> {
    const { args, flags } = await this.parse(Defer);
    const timeoutMs = parseDuration(flags.timeout, '--timeout') * 1_000;
    const forSeconds = parseDuration(args.duration, 'DURATION');
    if ((flags.end ?? false) === (forSeconds !== undefined) || forSeconds === 0) {
      throw new FlotillaError('usage', 'defer-arguments', 'say for how long, or --end', {
        expected: "agent update defer 2h --reason 'why', or agent update defer --end",
      });
    }
    await using client = await openAgentDoor({ config: flags.config, socket: flags.socket }, timeoutMs);
    if (forSeconds !== undefined)
      return await client.deferUpdate({ forSeconds, reason: flags.reason ?? 'at the device' });
    await client.resumeUpdate();
    return {};
  }

  protected render({ untilMs }: Deferred): void {
    this.print(untilMs === undefined ? 'updates are not put off' : `updates are put off until ${formatTime(untilMs)}`);
  }
}
