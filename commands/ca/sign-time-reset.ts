import { Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { parseDuration } from '../../src/cli/duration.ts';
import { formatTime, plural } from '../../src/cli/human.ts';
import { NewFiles } from '../../src/cli/new-file.ts';
import type { TargetFlags } from '../../src/cli/find-endpoint.ts';
import { openClient } from '../../src/cli/open-client.ts';
import { openRoot } from '../../src/cli/open-root.ts';
import { parseTime } from '../../src/cli/time.ts';
import { FlotillaError } from '../../src/error.ts';
import { isDeviceId } from '../../src/pki/profile.ts';
import { signTimeReset, type TimeReset } from '../../src/pki/time-reset.ts';

interface SignedResets {
  file: string;
  resets: TimeReset[];
}

export default class SignTimeReset extends BaseCommand<SignedResets> {
  static override description = `order devices to forget a time that they were wrongly given; signed with the root key
A device never goes behind the latest time that was signed for it. When that was wrong, because the coordinator's own clock was, this is the way back. Each order is good for one device, once, and for the days of --valid. Deliver the file by \`device reset-time\`, or at the device by \`agent reset-time\`. An id needs no coordinator, so this also runs where the root key is kept.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> --device gw-001 --out gw-001.reset
Passphrase of the root key:
signed for 1 device: back to 2026-11-26 08:00:00Z, good until 2026-12-03 08:00:00Z
wrote gw-001.reset`,
    "<%= config.bin %> <%= command.id %> --device 'G@clock:source:floor' --out all.reset",
    '<%= config.bin %> <%= command.id %> --device gw-001 --root-key root.key.enc --root-certificate root.crt --passphrase-file pass --out gw-001.reset',
  ];
  static override flags = {
    device: Flags.string({ description: 'its id, or a selector', required: true, helpValue: 'ID|SELECTOR' }),
    out: Flags.file({ description: 'write the orders here; never overwrites', required: true, helpValue: 'FILE' }),
    time: Flags.string({ description: "what they go back to; this machine's time when left out", helpValue: 'TIME' }),
    valid: Flags.string({ description: 'how long they may be delivered', default: '7d', helpValue: 'DURATION' }),
    'root-key': Flags.file({ description: 'the root key, where it is not in pki/', helpValue: 'FILE' }),
    'root-certificate': Flags.file({ description: 'the root certificate, likewise', helpValue: 'FILE' }),
    'passphrase-file': Flags.string({
      description: 'file whose first line opens the root key; mode 0600, or a pipe such as /dev/stdin',
      helpValue: 'FILE',
    }),
  };

  protected async execute(): Promise<SignedResets> {
    const { flags } = await this.parse(SignTimeReset);
    const nowMs = Date.now();
    const timeMs = parseTime(flags.time, '--time', nowMs) ?? nowMs;
    const expiresAtMs = timeMs + Math.round(parseDuration(flags.valid, '--valid') * 1000);
    await using files = new NewFiles();
    await files.reserve(flags.out);
    const ids = isDeviceId(flags.device) ? [flags.device] : await this.#select(flags.device, flags);
    const root = await openRoot({
      fleetDir: flags['fleet-dir'],
      key: flags['root-key'],
      certificate: flags['root-certificate'],
      passphraseFile: flags['passphrase-file'],
    });
    const { fleetId, privateKey } = root;
    const resets = ids.map((deviceId) => signTimeReset(privateKey, { fleetId, deviceId, timeMs, expiresAtMs }));
    await files.fill(flags.out, resets.map((reset) => `${JSON.stringify(reset)}\n`).join(''));
    files.keep();
    return { file: flags.out, resets };
  }

  protected render({ file, resets }: SignedResets): void {
    const [{ timeMs, expiresAtMs }] = resets as [TimeReset];
    const until = `back to ${formatTime(timeMs)}, good until ${formatTime(expiresAtMs)}`;
    this.print(`signed for ${plural(resets.length, 'device')}: ${until}\nwrote ${file}`);
  }

  async #select(selector: string, target: TargetFlags): Promise<string[]> {
    const client = await openClient(target);
    const ids = (await client.devices({ selector })).map(({ id }) => id);
    if (ids.length > 0) return ids;
    throw new FlotillaError('none-matched', 'device-none-matched', 'the selector matches no device', {
      seen: selector,
      suggestion: 'flotilla device list',
    });
  }
}
