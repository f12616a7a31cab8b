import { Args } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { formatError } from '../../src/cli/format-error.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { readInput } from '../../src/cli/read-input.ts';
import { formatReceiptTaken } from '../../src/cli/render/update-record.ts';
import type { ReceiptTaken } from '../../src/client/contract/index.ts';
import { FlotillaError, type ErrorDocument } from '../../src/error.ts';
import { parseUpdateReceipts } from '../../src/pki/update-receipt.ts';

interface Taken {
  receipts: (({ file: string } & ReceiptTaken) | { file: string; outcome: 'refused'; error: ErrorDocument })[];
}

/** A device keeps no more than a few. */
const maxFileBytes = 8 * 1024 * 1024;

export default class Receipt extends BaseCommand<Taken> {
  static override description = `take receipts of updates that devices installed from a file into their history
For a device without a link: \`agent receipt\` on the device writes the file, and somebody carries it here. Each receipt is held against the certificate that this coordinator has on record for the device: one that was altered, forged, signed by a certificate that is revoked or of another fleet is refused. A receipt counts once, whichever way it comes: one that is known changes nothing.

Exit codes: 0 all are in the history, 2 a file that holds none, 6 at least one was refused.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> /media/usb/gw-003-receipts.json
accepted  gw-003 f-9c01d2e4a7: committed 2.0.0, 2026-11-22 21:33:25Z`,
    '<%= config.bin %> <%= command.id %> *.json --json',
  ];
  static override strict = false;
  static override args = { file: Args.file({ description: 'files of `agent receipt`, one or more', required: true }) };

  protected async execute(): Promise<Taken> {
    const { argv, flags } = await this.parse(Receipt);
    const files = await Promise.all(
      (argv as string[]).map(async (file) => {
        const text = (await readInput(file, 'receipts', maxFileBytes)).toString('utf8');
        return parseUpdateReceipts(text, file).map((receipt) => ({ file, receipt }));
      }),
    );
    const client = await openClient(flags);
    const receipts: Taken['receipts'] = [];
    for (const { file, receipt } of files.flat()) {
      try {
        receipts.push({ file, ...(await client.takeReceipt(receipt)) });
      } catch (error) {
        if (!(error instanceof FlotillaError) || error.fault !== 'refused') throw error;
        receipts.push({ file, outcome: 'refused', error: error.toJSON() });
      }
    }
    return { receipts };
  }

  protected render({ receipts }: Taken): void {
    for (const each of receipts) {
      if (each.outcome === 'refused')
        this.note(`${each.file}: ${formatError(FlotillaError.fromJSON(each.error))}`.trimEnd());
      else this.print(formatReceiptTaken(each));
    }
  }

  protected override exitCode({ receipts }: Taken): ExitCode {
    return receipts.some(({ outcome }) => outcome === 'refused') ? ExitCode.refused : ExitCode.ok;
  }
}
