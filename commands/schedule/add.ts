import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { parseDuration } from '../../src/cli/duration.ts';
import { holdFlags, readHold } from '../../src/cli/job-flag.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { readTriggerFlags } from '../../src/cli/read-trigger.ts';
import { formatSchedule } from '../../src/cli/render/schedule.ts';
import { scheduledAction, scheduledActionFlags } from '../../src/cli/scheduled-action.ts';
import { sendConfirmed } from '../../src/cli/send-confirmed.ts';
import {
  overlapPolicies,
  type OverlapPolicy,
  type Schedule,
  type ScheduleRequest,
} from '../../src/client/contract/index.ts';

export default class Add extends BaseCommand<Schedule> {
  static override usage = 'schedule add NAME SELECTOR --cron CRON|--at TIME [FLAGS] [-- COMMAND [ARGUMENT…]]';
  static override description = `run a command, or another kind of job, at times to come: again and again, or once
The selector is resolved anew at each firing, and the safety rules are asked again: more devices than --max, or a larger share of the fleet than you confirm now, are refused, and the refusal stands in the schedule's history. Each firing is a job of its own (\`job list --schedule NAME\`).

While devices still work on the job before, --overlap says what becomes of the next one; a device that is away does not count. Instead of a command: --script FILE (arguments behind --), --ping, --refresh, --reboot, --restart SERVICE, --put FILE --to PATH, --config NAME --file FILE. With --for and --then each device takes it back by itself, as with \`run\`.

A time that is named without a wildcard comes exactly once a day, also when the clocks change: in an hour that is skipped at its end, in one that comes twice the first time.`;
  static override examples = [
    `<%= config.bin %> <%= command.id %> rotate-logs 'G@site:harbour' --cron '30 3 * * MON-FRI' --zone Europe/Berlin --splay 10m -- logrotate /etc/logrotate.conf`,
    `<%= config.bin %> <%= command.id %> new-year '*' --at 2027-01-01T00:00 --zone Europe/Berlin --expect 120 -- /usr/bin/fireworks`,
    `<%= config.bin %> <%= command.id %> peak 'I@load:heat' --cron '0 17 * * *' --zone Europe/Berlin --for 2h --then 'relay on' -- relay off`,
    `<%= config.bin %> <%= command.id %> weekly 'G@site:harbour' --cron '0 4 * * SUN' --restart modem --batch 10%`,
    `<%= config.bin %> <%= command.id %> try 'gw-1' --cron '*/5 * * * *' --dry-run -- true`,
  ];
  static override args = {
    name: Args.string({ description: 'of the schedule: small letters, digits, . _ -', required: true }),
    selector: Args.string({ description: 'which devices, asked at each firing', required: true }),
  };
  static override flags = {
    cron: Flags.string({
      description: 'minute hour day-of-month month day-of-week',
      exactlyOne: ['cron', 'at'],
      helpValue: 'CRON',
    }),
    at: Flags.string({
      description: 'once: 2026-12-01T03:00 in --zone, or with an offset of its own',
      helpValue: 'TIME',
    }),
    zone: Flags.string({ description: 'time zone by its IANA name', default: 'UTC' }),
    splay: Flags.string({ description: 'spread the starts of the devices over this time', helpValue: 'DURATION' }),
    missed: Flags.string({
      description: 'of times at which the coordinator was down: none, or one for all of them',
      options: ['skip', 'once'],
      default: 'skip',
    }),
    overlap: Flags.string({
      description: 'of a time at which devices work on the job before: no job, one after it, or one beside it',
      options: [...overlapPolicies],
      default: 'skip',
    }),
    batch: Flags.string({ description: 'at most this many devices at once: 50, or 10%', helpValue: 'N|N%' }),
    subset: Flags.integer({ description: 'only this many of the devices, drawn at random at each firing', min: 1 }),
    failhard: Flags.boolean({ description: 'start no more devices after the first failure' }),
    timeout: Flags.string({ description: 'of the command on the device, from its start', helpValue: 'DURATION' }),
    expires: Flags.string({ description: 'how long an offline device may take to come back', helpValue: 'DURATION' }),
    shell: Flags.boolean({ description: "run one string through the device's /bin/sh -c" }),
    ...scheduledActionFlags,
    ...holdFlags,
    return: Flags.string({
      description: 'send each result to this returner of coordinator.yaml, too',
      helpValue: 'NAME',
      multiple: true,
    }),
    max: Flags.integer({ description: 'refuse a firing when more devices match', min: 1 }),
    expect: Flags.integer({ description: 'refuse unless exactly this many devices match now', min: 0 }),
    yes: Flags.boolean({ char: 'y', description: 'do not ask; only together with --expect' }),
    'dry-run': Flags.boolean({ description: 'say what it would be, store nothing' }),
  };

  protected async execute(): Promise<Schedule> {
    const end = this.argv.indexOf('--');
    const argv = end < 0 ? [] : this.argv.slice(end + 1);
    const { args, flags } = await this.parse(Add, end < 0 ? [...this.argv] : this.argv.slice(0, end));
    const client = await openClient(flags);
    const action = await scheduledAction(client, argv, flags);
    const request: ScheduleRequest = {
      name: args.name,
      trigger: readTriggerFlags(flags),
      missed: flags.missed as 'skip' | 'once',
      overlap: flags.overlap as OverlapPolicy,
      job: {
        selector: args.selector,
        action,
        ...defined({
          hold: readHold(flags, flags.shell),
          rampSeconds: parseDuration(flags.splay, '--splay'),
          timeoutSeconds: parseDuration(flags.timeout, '--timeout'),
          expiresSeconds: parseDuration(flags.expires, '--expires'),
          batch: flags.batch,
          maxFailures: flags.failhard ? 1 : undefined,
          subset: flags.subset,
          returners: flags.return,
          max: flags.max,
        }),
      },
      ...defined({ dryRun: flags['dry-run'] || undefined }),
    };
    return sendConfirmed({
      send: (expect) => client.addSchedule({ ...request, ...defined({ expect }) }),
      expect: flags.expect,
      yes: flags.yes,
      json: this.json,
    });
  }

  protected render(schedule: Schedule): void {
    this.print(formatSchedule(schedule, Date.now()));
  }
}
