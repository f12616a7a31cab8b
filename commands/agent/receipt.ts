import { Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { doorFlags } from '../../src/cli/door-flag.ts';
import { parseDuration } from '../../src/cli/duration.ts';
import { NewFiles } from '../../src/cli/new-file.ts';
import { openAgentDoor } from '../../src/cli/open-door.ts';
import type { UpdateReceipt } from '../../src/pki/update-receipt.ts';

export default class Receipt extends BaseCommand<UpdateReceipt[]> {
  static override description = `at the device: how updates from files have ended, signed by the device
For a coordinator that is out of reach: bring the file there, \`device receipt FILE\` takes it into the history. Over a link the receipts travel by themselves. The newest first, as many as the device remembers.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> --out /media/usb/gw-003-receipts.json
1 receipt`,
    '<%= config.bin %> <%= command.id %> --config agent.yaml --json',
  ];
  static override flags = {
    ...doorFlags,
    out: Flags.string({ description: 'a new file for them; without it they are printed', helpValue: 'FILE' }),
  };

  protected async execute(): Promise<UpdateReceipt[]> {
    const { flags } = await this.parse(Receipt);
    const timeoutMs = parseDuration(flags.timeout, '--timeout') * 1_000;
    await using client = await openAgentDoor({ config: flags.config, socket: flags.socket }, timeoutMs);
    const receipts = await client.updateReceipts();
    if (flags.out !== undefined) {
      await using places = new NewFiles();
      await places.reserve(flags.out);
      await places.fill(flags.out, `${JSON.stringify(receipts, null, 2)}\n`);
      places.keep();
      this.#written = true;
    }
    return receipts;
  }

  #written = false;

  protected render(receipts: UpdateReceipt[]): void {
    if (this.#written) this.print(`${receipts.length} receipt${receipts.length === 1 ? '' : 's'}`);
    else this.print(JSON.stringify(receipts, null, 2));
  }
}
