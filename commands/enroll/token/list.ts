import { BaseCommand } from '../../../src/cli/base-command.ts';
import { openClient } from '../../../src/cli/open-client.ts';
import { formatTokens } from '../../../src/cli/render/enrollment.ts';
import { stdoutOption } from '../../../src/cli/terminal.ts';
import type { EnrollmentTokenView } from '../../../src/client/contract/index.ts';

export default class List extends BaseCommand<EnrollmentTokenView[]> {
  static override description = 'list enrollment tokens: what they let in, how often they were used, when they end';
  static override examples = [
    `$ <%= config.bin %> <%= command.id %>
TOKEN               STATE      USES  ENDS    DEVICES  LETS IN AS  TAGS      BOUND GRAINS  BY      NOTE
t-mf3k9x2a81c4f02e  active  3 of 20  in 7h2m meter-*  accepted    ring=new  site=harbour  local:0  -`,
    '<%= config.bin %> <%= command.id %> --json',
  ];

  protected async execute(): Promise<EnrollmentTokenView[]> {
    const { flags } = await this.parse(List);
    const client = await openClient(flags);
    return client.enrollmentTokens();
  }

  protected render(tokens: EnrollmentTokenView[]): void {
    this.print(formatTokens(tokens, Date.now(), stdoutOption()));
  }
}
