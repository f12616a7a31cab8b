import { readFile, stat } from 'node:fs/promises';
import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../../src/cli/base-command.ts';
import { openClient } from '../../../src/cli/open-client.ts';
import type { ManifestImported } from '../../../src/client/contract/index.ts';
import { parseManifest } from '../../../src/enrollment/manifest.ts';
import { FlotillaError, systemErrorCode } from '../../../src/error.ts';

const maxFileBytes = 48 * 1024 * 1024;

type Imported = ManifestImported & { dryRun: boolean };

export default class Import extends BaseCommand<Imported> {
  static override description = `say which devices are to come: a manifest as CSV or YAML
CSV with a heading: id, serial (what stands as serialNumber in the device's request), key (SHA-256 of its public key), pending, tag.NAME, grain.NAME. YAML: a list of maps with id, serial, key, pending, tags and grains. A device whose key stands here enrolls without a token. All rows are taken or none; every problem of the file is told at once.`;
  static override examples = [
    `$ cat fleet.csv
id,serial,key,tag.ring,grain.site
meter-1,SN-0001,,canary,harbour
$ <%= config.bin %> <%= command.id %> fleet.csv
1 device added, 0 changed, 0 as before`,
    '<%= config.bin %> <%= command.id %> fleet.yaml --dry-run',
  ];
  static override args = { file: Args.file({ description: 'the manifest, *.csv or *.yaml', required: true }) };
  static override flags = { 'dry-run': Flags.boolean({ description: 'read and check the file, change nothing' }) };

  protected async execute(): Promise<Imported> {
    const { args, flags } = await this.parse(Import);
    const devices = parseManifest(await readText(args.file), args.file);
    const client = await openClient(flags);
    if (!flags['dry-run']) return { ...(await client.importManifest({ devices })), dryRun: false };
    const known = new Set((await client.manifest()).map(({ deviceId }) => deviceId));
    const ids = devices.map(({ deviceId }) => deviceId);
    const added = ids.filter((id) => !known.has(id));
    return { added, changed: ids.filter((id) => known.has(id)), unchanged: [], dryRun: true };
  }

  protected render({ added, changed, unchanged, dryRun }: Imported): void {
    if (dryRun)
      this.print(`${added.length + changed.length} devices read, ${added.length} of them new; nothing changed`);
    else {
      const devices = `${added.length} device${added.length === 1 ? '' : 's'}`;
      this.print(`${devices} added, ${changed.length} changed, ${unchanged.length} as before`);
    }
  }
}

async function readText(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size <= maxFileBytes) return await readFile(file, 'utf8');
    throw new FlotillaError('usage', 'file-too-large', `${file} is too large for a manifest`, {
      seen: `${size} bytes`,
      expected: `at most ${maxFileBytes} bytes`,
      suggestion: 'split it',
    });
  } catch (cause) {
    if (cause instanceof FlotillaError) throw cause;
    const code = systemErrorCode(cause);
    throw new FlotillaError('usage', 'file-unreadable', `${file} can't be read`, {
      ...(code === undefined ? {} : { seen: code }),
      expected: 'a manifest',
      suggestion: 'check the path',
      cause,
    });
  }
}
