import { Flags } from '@oclif/core';
import { BaseCommand } from '../../../src/cli/base-command.ts';
import { defined } from '../../../src/cli/defined.ts';
import { parseDuration } from '../../../src/cli/duration.ts';
import { formatAge } from '../../../src/cli/human.ts';
import { parseNameValues } from '../../../src/cli/name-value.ts';
import { NewFiles } from '../../../src/cli/new-file.ts';
import { openClient } from '../../../src/cli/open-client.ts';
import type { EnrollmentTokenMade } from '../../../src/client/contract/index.ts';

type Made = EnrollmentTokenMade & { written: string[] };

export default class Add extends BaseCommand<Made> {
  static override description = `make an enrollment token: one line that lets new devices into the fleet
The device makes its own key, shows the token once, and gets its certificate (flotilla agent enroll). The line is a secret and is printed this once; only its hash is kept. It never replaces a device that is known already. Needs enrollment: in coordinator.yaml.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> --uses 20 --expires 8h --id 'meter-*' --grain site=harbour --tag ring=new --out meters.token
t-mf3k9x2a81c4f02e: 20 devices meter-*, ends in 8h, accepted
wrote meters.token`,
    '<%= config.bin %> <%= command.id %> --pending --json',
  ];
  static override flags = {
    expires: Flags.string({ description: 'how long it lets devices in', default: '24h', helpValue: 'TIME' }),
    uses: Flags.integer({ description: 'how many devices', default: 1, min: 1, max: 1_000_000 }),
    id: Flags.string({ description: 'only devices whose id matches', helpValue: 'GLOB' }),
    tag: Flags.string({ description: 'tag them', multiple: true, helpValue: 'NAME=VALUE' }),
    grain: Flags.string({
      description: 'they may report this grain with this value only; one that reports another is quarantined',
      multiple: true,
      helpValue: 'NAME=VALUE',
    }),
    pending: Flags.boolean({ description: 'they wait for `device accept`' }),
    note: Flags.string({ description: 'what it is for', helpValue: 'TEXT' }),
    host: Flags.string({ description: 'how they reach the enrollment listener', helpValue: 'HOST' }),
    port: Flags.integer({ description: 'its port as they see it', min: 1, max: 65_535 }),
    out: Flags.file({ description: 'write the line here (0600); never overwrites', helpValue: 'FILE' }),
  };

  protected async execute(): Promise<Made> {
    const { flags } = await this.parse(Add);
    const request = {
      lifeSeconds: parseDuration(flags.expires, '--expires'),
      maxUses: flags.uses,
      tags: parseNameValues(flags.tag ?? [], '--tag'),
      grains: parseNameValues(flags.grain ?? [], '--grain'),
      ...defined({ idPattern: flags.id, note: flags.note, host: flags.host, port: flags.port }),
      ...(flags.pending ? { pending: true } : {}),
    };
    await using files = new NewFiles();
    if (flags.out !== undefined) await files.reserve(flags.out, 0o600);
    const client = await openClient(flags);
    const made = await client.addEnrollmentToken(request);
    if (flags.out !== undefined) await files.fill(flags.out, `${made.text}\n`);
    return { ...made, written: files.keep() };
  }

  protected render({ token, text, written }: Made): void {
    const devices = `${token.maxUses} device${token.maxUses === 1 ? '' : 's'}${token.idPattern === undefined ? '' : ` ${token.idPattern}`}`;
    const until = formatAge(token.expiresAtMs, Date.now());
    const said = `${token.id}: ${devices}, ends ${until}, ${token.pending ? 'pending' : 'accepted'}`;
    if (written.length > 0) this.print(`${said}\nwrote ${written.join(', ')}`);
    else {
      this.note(`${said}\nkeep this line secret; it is not shown again:`);
      this.print(text);
    }
  }
}
