import { dirname, join } from 'node:path';
import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { defined } from '../../src/cli/defined.ts';
import { parseDuration } from '../../src/cli/duration.ts';
import { NewFiles } from '../../src/cli/new-file.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { readInput } from '../../src/cli/read-input.ts';
import { formatAdded } from '../../src/cli/render/operator.ts';
import type { OperatorAdded, OperatorRequest } from '../../src/client/contract/index.ts';
import { FlotillaError } from '../../src/error.ts';
import { createDeviceKeyAndCsr } from '../../src/pki/create-csr.ts';
import { operatorRoles } from '../../src/role.ts';

export type Added = OperatorAdded & {
  files: { key?: string; certificate?: string; authority?: string; token?: string };
};

export default class Add extends BaseCommand<Added> {
  static override description = `let a person or a program use this fleet from elsewhere
Makes a key here and a certificate for it, or signs the request of a key that was made elsewhere (--csr), or makes a token that ends soon (--token). An operator that exists gets another one beside those that he has. What each role may do stands in docs/security.md.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> anna --role operator --out anna
added anna: operator, certificate 5f1c0a7702b94d0c8e1f22aa90d3b761, ends in 365d
anna/anna.key       keep it secret
anna/anna.crt
anna/authority.crt
flotilla context add NAME --host HOST --port PORT --ca anna/authority.crt --cert anna/anna.crt --key anna/anna.key`,
    '<%= config.bin %> <%= command.id %> anna --csr anna.csr --out anna',
    '<%= config.bin %> <%= command.id %> ci --role release --token --expires 1h --out ci',
  ];
  static override args = {
    name: Args.string({ description: 'who it is; a-z 0-9 . _ -', required: true }),
  };
  static override flags = {
    role: Flags.string({
      description: 'what it may do; may be left out for one that exists',
      options: [...operatorRoles],
    }),
    out: Flags.directory({
      description: 'where the files go; made when missing. By default the folder NAME; a token is printed',
      helpValue: 'DIR',
    }),
    days: Flags.integer({ description: 'how long the certificate holds', min: 1, max: 3_650 }),
    csr: Flags.file({ description: 'sign this request; the key stays where it is', exclusive: ['token'] }),
    token: Flags.boolean({ description: 'make a token instead of a certificate', exclusive: ['csr', 'days'] }),
    expires: Flags.string({ description: 'how long the token holds', helpValue: 'DURATION', dependsOn: ['token'] }),
    uses: Flags.integer({ description: 'how many requests the token is good for', min: 1, dependsOn: ['token'] }),
  };

  protected async execute(): Promise<Added> {
    const { args, flags } = await this.parse(Add);
    const { name } = args;
    const who = { name, ...defined({ role: flags.role as OperatorRequest['role'] }) };
    const client = await openClient(flags);
    await using places = new NewFiles();
    if (flags.token) {
      if (flags.expires === undefined) {
        throw new FlotillaError('usage', 'token-without-end', 'a token needs an end', {
          suggestion: 'add --expires 8h',
        });
      }
      const token = { expiresSeconds: parseDuration(flags.expires, '--expires'), ...defined({ uses: flags.uses }) };
      if (flags.out === undefined) return { ...(await client.addOperator({ ...who, token })), files: {} };
      const files = { token: join(flags.out, `${name}.token`), authority: join(flags.out, 'authority.crt') };
      await places.folder(flags.out, 0o700);
      await places.reserve(files.token, 0o600);
      await places.reserve(files.authority);
      const { token: text = '', ...added } = await client.addOperator({ ...who, token });
      await places.fill(files.token, `${text}\n`);
      await places.fill(files.authority, added.authority);
      places.keep();
      return { ...added, files };
    }

    const made = flags.csr === undefined ? await createDeviceKeyAndCsr(name) : undefined;
    const csr = made?.csrPem ?? (await readInput(flags.csr!, 'a certificate signing request')).toString('utf8');
    const folder = flags.out ?? (flags.csr === undefined ? name : dirname(flags.csr));
    const files = {
      ...(made === undefined ? {} : { key: join(folder, `${name}.key`) }),
      certificate: join(folder, `${name}.crt`),
      authority: join(folder, 'authority.crt'),
    };
    await places.folder(folder, 0o700);
    if (files.key !== undefined) await places.reserve(files.key, 0o600);
    await places.reserve(files.certificate);
    await places.reserve(files.authority);
    if (files.key !== undefined) await places.fill(files.key, made!.privateKeyPem);
    const added = await client.addOperator({ ...who, csr, ...defined({ days: flags.days }) });
    await places.fill(files.certificate, added.certificate ?? '');
    await places.fill(files.authority, added.authority);
    places.keep();
    return { ...added, files };
  }

  protected render(added: Added): void {
    const { text, note } = formatAdded(added, Date.now());
    // A token alone on stdout: `flotilla operator add … > file` is all that it takes.
    if (note !== '') this.note(note);
    this.print(text);
  }
}
