import { Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { formatAge, formatTime, plural } from '../../src/cli/human.ts';
import { NewFiles } from '../../src/cli/new-file.ts';
import { openClient } from '../../src/cli/open-client.ts';
import type { RevocationListReply } from '../../src/client/contract/index.ts';
import { readPemBlocks } from '../../src/pki/inspect/pem.ts';

type Fetched = RevocationListReply & { file?: string };

export default class Crl extends BaseCommand<Fetched> {
  static override description = `fetch the revocation list of this fleet, for servers of yours that accept its devices
The coordinator itself needs none: it refuses a revoked certificate at once. The list is signed by the issuing authority, of version 2 with a number and reasons, and is made anew with every revocation. Without --out it is printed as PEM. Set certificates.crl.listen in coordinator.yaml to offer it by plain HTTP, too.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> --out fleet.crl
wrote fleet.crl: number 1204, 3 certificates revoked, next by 2026-12-03 00:20:05Z (in 7d)`,
    '<%= config.bin %> <%= command.id %> --out fleet.crl --der',
    '<%= config.bin %> <%= command.id %> | openssl crl -noout -text',
  ];
  static override flags = {
    out: Flags.file({ description: 'write it here; never overwrites', helpValue: 'FILE' }),
    der: Flags.boolean({ description: 'write DER instead of PEM', dependsOn: ['out'] }),
  };

  protected async execute(): Promise<Fetched> {
    const { flags } = await this.parse(Crl);
    await using files = new NewFiles();
    if (flags.out !== undefined) await files.reserve(flags.out);
    const client = await openClient(flags['fleet-dir']);
    const list = await client.revocationList();
    if (flags.out === undefined) return list;
    await files.fill(flags.out, flags.der ? readPemBlocks(list.pem, 'the list')[0]!.der : list.pem);
    files.keep();
    return { ...list, file: flags.out };
  }

  protected render({ file, number, revokedCount, nextUpdateMs, pem }: Fetched): void {
    if (file === undefined) return this.print(pem);
    const next = `${formatTime(nextUpdateMs)} (${formatAge(nextUpdateMs, Date.now())})`;
    this.print(`wrote ${file}: number ${number}, ${plural(revokedCount, 'certificate')} revoked, next by ${next}`);
  }
}
