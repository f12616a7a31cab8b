import { Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { formatAge, formatTime, plural } from '../../src/cli/human.ts';
import { NewFiles } from '../../src/cli/new-file.ts';
import { openClient } from '../../src/cli/open-client.ts';
import type { RevocationLists } from '../../src/client/contract/index.ts';
import { readPemBlocks } from '../../src/pki/inspect/pem.ts';

type Fetched = { lists: RevocationLists; file?: string };

export default class Crl extends BaseCommand<Fetched> {
  static override description = `fetch the revocation list of this fleet, for servers of yours that accept its devices
The coordinator itself needs none: it refuses a revoked certificate at once. Each issuing authority signs its own: version 2, with a number and reasons, made anew with every revocation. PEM holds all of them, DER that of the authority that signs now. Without --out they are printed as PEM. Set certificates.crl.listen in coordinator.yaml to offer it by plain HTTP, too.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> --out fleet.crl
harbour-k3f9x2 issuing authority: number 1204, 3 certificates revoked, next by 2026-12-03 00:20:05Z (in 7d)
wrote fleet.crl`,
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
    const client = await openClient(flags);
    const lists = await client.revocationLists();
    if (flags.out === undefined) return { lists };
    const pem = lists.map((list) => list.pem).join('');
    await files.fill(flags.out, flags.der ? readPemBlocks(pem, 'the list')[0]!.der : pem);
    files.keep();
    return { lists: flags.der ? lists.slice(0, 1) : lists, file: flags.out };
  }

  protected render({ lists, file }: Fetched): void {
    if (file === undefined) return this.print(lists.map(({ pem }) => pem).join(''));
    const lines = lists.map(({ issuer, number, revokedCount, nextUpdateMs }) => {
      const next = `${formatTime(nextUpdateMs)} (${formatAge(nextUpdateMs, Date.now())})`;
      return `${issuer}: number ${number}, ${plural(revokedCount, 'certificate')} revoked, next by ${next}`;
    });
    this.print(`${lines.join('\n')}\nwrote ${file}`);
  }
}
