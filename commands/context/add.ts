import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { changeContexts, contextOf, findContext, type ContextView } from '../../src/cli/change-context.ts';
import { openContext } from '../../src/cli/open-context.ts';
import { formatContext } from '../../src/cli/render/context.ts';
import { contextNamePattern } from '../../src/config/context-file.ts';
import { FlotillaError } from '../../src/error.ts';

export default class Add extends BaseCommand<ContextView> {
  static override description = `remember a coordinator elsewhere, and who you are there
The names of the files are kept, not their contents: contexts.yaml holds no secret, and has mode 0600 because it says whom commands trust. Give a certificate with its key, or the file of a token; with neither the token comes from FLOTILLA_TOKEN. Nothing is dialed.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> harbour --host fleet.example.org --port 7444 --ca authority.crt --cert anna.crt --key anna.key --use
name:         harbour (current)
coordinator:  fleet.example.org:7444
fleet:        harbour-k3f9x2
as:           anna (operator)
ends:         in 365d`,
    '<%= config.bin %> <%= command.id %> ci --host fleet.example.org --port 7445 --ca authority.crt --token-file token',
  ];
  static override args = {
    name: Args.string({ description: 'how you call it; a-z 0-9 . _ -', required: true }),
  };
  static override flags = {
    host: Flags.string({ description: 'name or address of the coordinator', required: true }),
    port: Flags.integer({
      description: 'api.listen.port of its coordinator.yaml; api.tokenListen.port for a token',
      required: true,
      min: 1,
      max: 65_535,
    }),
    ca: Flags.file({ description: "pki/authority.crt of the fleet, to know it's the right one", required: true }),
    cert: Flags.file({ description: 'your certificate' }),
    key: Flags.file({ description: 'its key, mode 0600' }),
    'token-file': Flags.file({ description: 'a file with a token, mode 0600' }),
    use: Flags.boolean({ description: 'make it the current context' }),
    force: Flags.boolean({ description: 'replace a context of this name' }),
  };

  protected async execute(): Promise<ContextView> {
    const { args, flags } = await this.parse(Add);
    const { name } = args;
    if (!contextNamePattern.test(name)) {
      throw new FlotillaError('usage', 'context-name', 'this is no name for a context', {
        seen: JSON.stringify(name.slice(0, 80)),
        expected: 'one to 63 of a-z 0-9 . _ - with a letter or digit first',
      });
    }
    const context = await contextOf({ ...flags, tokenFile: flags['token-file'] });
    if (context.certificate !== undefined || context.tokenFile !== undefined) await openContext(context);
    await changeContexts(({ current, contexts }) => {
      if (Object.hasOwn(contexts, name) && !flags.force) {
        throw new FlotillaError('refused', 'context-exists', `the context ${name} exists`, {
          suggestion: 'choose another name, or add --force',
        });
      }
      const use = flags.use ? name : current;
      return { ...(use === undefined ? {} : { current: use }), contexts: { ...contexts, [name]: context } };
    });
    return findContext(name);
  }

  protected render(view: ContextView): void {
    this.print(formatContext(view, Date.now()));
  }
}
