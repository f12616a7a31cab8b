import { execa } from 'execa';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { findEntryPoint } from '../../src/cli/entry-point.ts';

export default class OpenApi extends BaseCommand<object> {
  static override description = `print the OpenAPI 3.1 document of the coordinator's API
Made from the schemas that requests are checked with, for this version; no coordinator is needed. A running one gives the same at /v1/openapi.json. Each operation names the roles that may use it in x-flotilla-role.`;
  static override examples = ['<%= config.bin %> <%= command.id %> > openapi.json'];

  protected async execute(): Promise<object> {
    await this.parse(OpenApi);
    const { argv, env } = findEntryPoint(this.config.root, 'openapi', []);
    const { stdout } = await execa(process.execPath, argv, { env });
    return JSON.parse(stdout) as object;
  }

  protected render(document: object): void {
    this.print(JSON.stringify(document, null, 2));
  }
}
