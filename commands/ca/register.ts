import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { formatAge } from '../../src/cli/human.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { readInput } from '../../src/cli/read-input.ts';
import type { AuthorityView, Challenge } from '../../src/client/contract/index.ts';
import { FlotillaError } from '../../src/error.ts';

type Result = AuthorityView | Challenge;

export default class Register extends BaseCommand<Result> {
  static override description = `let devices in that come with certificates of a manufacturer's authority
In two steps, because a CA certificate is public: \`--challenge\` prints a nonce; whoever has the CA's key signs it, as a certificate with the nonce as CN or as a plain signature; \`ca register CERT --proof FILE\` registers. The profile says what ids, tags and standing such devices get. An authority that is registered already gets another profile without a proof.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> --challenge
3b0c6e…
good until in 7d: have it signed by the key of the authority`,
    `$ <%= config.bin %> <%= command.id %> acme-ca.crt --profile acme --proof proof.crt
acme is trusted: CN=Acme Device CA, O=Acme
its devices are called acme-{cn} and arrive pending`,
    '<%= config.bin %> <%= command.id %> acme-ca.crt --profile acme --name acme-2026 --proof proof.sig --json',
  ];
  static override args = {
    certificate: Args.file({ description: 'PEM: the authority, then those above it, if any' }),
  };
  static override flags = {
    challenge: Flags.boolean({
      description: 'only make a nonce for the proof',
      exclusive: ['profile', 'name', 'proof'],
    }),
    profile: Flags.string({ description: 'of the kind registered, in pki/profiles.yaml', helpValue: 'NAME' }),
    name: Flags.string({ description: 'what to call the authority; as the profile by default', helpValue: 'NAME' }),
    proof: Flags.file({
      description: 'a certificate with the nonce as CN that the authority signed, or its signature over the nonce',
      helpValue: 'FILE',
    }),
  };

  protected async execute(): Promise<Result> {
    const { args, flags } = await this.parse(Register);
    if (flags.challenge) return (await openClient(flags)).createChallenge();
    if (args.certificate === undefined || flags.profile === undefined) {
      throw new FlotillaError('usage', 'ca-register-incomplete', 'a certificate and a profile are needed', {
        expected: 'flotilla ca register CERTIFICATE --profile NAME --proof FILE',
        suggestion: 'begin with flotilla ca register --challenge',
      });
    }
    const certificate = (await readInput(args.certificate, 'the certificate of an authority')).toString('utf8');
    const proof = flags.proof === undefined ? undefined : encodeProof(await readInput(flags.proof, 'a proof'));
    return (await openClient(flags)).registerAuthority({
      id: flags.name ?? flags.profile,
      profile: flags.profile,
      certificate,
      ...(proof === undefined ? {} : { proof }),
    });
  }

  protected render(result: Result): void {
    if ('nonce' in result) {
      this.print(result.nonce);
      this.note(`good until ${formatAge(result.expiresAtMs, Date.now())}: have it signed by the key of the authority`);
      return;
    }
    const { id, subject = '', registration } = result;
    this.print(
      `${id} is trusted: ${subject}\nits devices are called ${registration?.deviceId} and arrive ${registration?.arrival}`,
    );
  }
}

/** A certificate travels as its text, a signature as base64, whether or not its file already is. */
function encodeProof(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  return /^[A-Za-z0-9+/=\s]+$/.test(text) ? text.replaceAll(/\s/g, '') : bytes.toString('base64');
}
