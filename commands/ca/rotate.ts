import { Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { parseDuration } from '../../src/cli/duration.ts';
import { NewFiles } from '../../src/cli/new-file.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { readInput } from '../../src/cli/read-input.ts';
import { formatRotated } from '../../src/cli/render/authority.ts';
import { openRoot, rootFlags } from '../../src/cli/root-authority.ts';
import type { Rotated, Rotation } from '../../src/client/contract/index.ts';
import { parseAuthorityCsr, signAuthorityCsr } from '../../src/pki/authority-request.ts';

type Result = Rotated | (Rotation & { written: string });

export default class Rotate extends BaseCommand<Result> {
  static override description = `replace the issuing authority, without cutting a device
The coordinator makes the new key itself, and the root signs it: here, or with --request-out on the machine where the root is (\`ca sign-issuing\`), and back with --certificate. New certificates are of the new authority at once. Those of the old one stay good until the overlap ends, or until \`ca retire\`. A rotation that was cut short is simply run again.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> --overlap 60d
Passphrase of the root key:
issuing-2 signs from now on: CN=harbour-k3f9x2 issuing authority 2
412 devices still on issuing-1, which is trusted until its overlap ends in 60d`,
    '<%= config.bin %> <%= command.id %> --root /media/safe/root.export --passphrase-file root.pass --json',
    '<%= config.bin %> <%= command.id %> --request-out issuing-2.csr',
    '<%= config.bin %> <%= command.id %> --certificate issuing-2.crt',
  ];
  static override flags = {
    ...rootFlags,
    overlap: Flags.string({
      description: 'how long the authority before stays trusted, such as 30d; 90 days by default',
      helpValue: 'DURATION',
    }),
    profile: Flags.string({ description: 'of the kind issuing, in pki/profiles.yaml', helpValue: 'NAME' }),
    'request-out': Flags.file({
      description: 'only make the key, and write the request for the root here; never overwrites',
      exclusive: ['certificate', 'root', 'passphrase-file'],
      helpValue: 'FILE',
    }),
    certificate: Flags.file({
      description: 'what the root has signed: go over to it',
      exclusive: ['root', 'passphrase-file', 'overlap', 'profile'],
      helpValue: 'FILE',
    }),
  };

  protected async execute(): Promise<Result> {
    const { flags } = await this.parse(Rotate);
    const overlapSeconds = parseDuration(flags.overlap, '--overlap');
    const request = defined({
      overlapSeconds: overlapSeconds === undefined ? undefined : Math.round(overlapSeconds),
      profile: flags.profile,
    });
    if (flags.certificate !== undefined) {
      const certificate = (await readInput(flags.certificate, 'the certificate of an authority')).toString('utf8');
      return (await openClient(flags)).completeRotation(certificate);
    }
    if (flags['request-out'] !== undefined) {
      await using files = new NewFiles();
      await files.reserve(flags['request-out']);
      const rotation = await (await openClient(flags)).beginRotation(request);
      await files.fill(flags['request-out'], rotation.csr);
      files.keep();
      return { ...rotation, written: flags['request-out'] };
    }
    const client = await openClient(flags);
    await client.status(); // nobody types a passphrase for a coordinator that is not there
    const root = await openRoot({
      root: flags.root,
      passphraseFile: flags['passphrase-file'],
      fleetDir: flags['fleet-dir'],
    });
    const { csr } = await client.beginRotation(request);
    return client.completeRotation(await signAuthorityCsr(root, await parseAuthorityCsr(csr)));
  }

  protected render(result: Result): void {
    if (!('written' in result)) this.print(formatRotated(result, Date.now()));
    else
      this.print(
        `wrote ${result.written}: ${result.id} of ${result.fleetId}\nthe root signs it with: flotilla ca sign-issuing`,
      );
  }
}
