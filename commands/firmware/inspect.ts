import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../src/cli/base-command.ts';
import { parseDefines } from '../../src/cli/define-flag.ts';
import { NewFiles } from '../../src/cli/new-file.ts';
import { formatBundle, formatConfiguration } from '../../src/cli/render/bundle.ts';
import { formatDiskLayout } from '../../src/cli/render/disk-layout.ts';
import { diskSvg } from '../../src/cli/render/disk-svg.ts';
import { stdoutOption } from '../../src/cli/terminal.ts';
import { diskLayout, diskModel, engines, inspectBundle, readFirmwareSource, summarizeConfiguration, type BundleSummary, type ConfigurationSummary, type DiskLayout } from '../../src/firmware/index.ts'; // prettier-ignore

type Inspected = { layout: DiskLayout; svg?: string } & (
  ({ source: 'bundle' } & BundleSummary) | ({ source: 'configuration' } & ConfigurationSummary)
);

export default class Inspect extends BaseCommand<Inspected> {
  static override description = `show what a bundle, or a configuration, says about itself, and draw its disk
The drawing has every region with its offset, the slots as tasks and U-Boot variables tell them, a lane for each task with what it writes where, and overlaps marked. Needs no key and proves nothing; \`firmware verify\` does.`;
  static override examples = [
    `$ <%= config.bin %> <%= command.id %> gateway-2.0.0.fw
product:    harbour-gateway 2.0.0
platform:   virtual
created:    2026-11-22T21:30:05Z
uuid:       0b5c1f0e-7f0c-5d0a-9a3c-3f1d2b7a9c11
signature:  there, not checked
…
          ┌──┬─┬───┬─┬──┬─┬───────┬────────────────┬─────────────────┬─────────┐
          │1 │·│ 2 │·│3 │·│   4   │    5 slot a    │    6 slot b     │    7    │
          └──┴─┴───┴─┴──┴─┴───────┴────────────────┴─────────────────┴─────────┘
complete   ◆◆   ◆◆◆   ◆◆   ███████ █████████████                      ░
upgrade.a       ◆◆◆   ◆◆           █████████████
upgrade.b       ◆◆◆   ◆◆                            █████████████
…`,
    '<%= config.bin %> <%= command.id %> fwup.conf --define VERSION=2.0.0 --svg layout.svg',
    '<%= config.bin %> <%= command.id %> gateway-2.0.0.fw --json',
  ];
  static override args = {
    bundle: Args.string({ description: 'the bundle (.fw) or configuration to look at', required: true }),
  };
  static override flags = {
    svg: Flags.string({ description: 'write the drawing there too, as SVG; never overwrites', helpValue: 'FILE' }),
    define: Flags.string({
      description: 'a variable for a configuration; may be given several times',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'NAME=VALUE',
    }),
    engine: Flags.option({
      description: 'builtin (auto is the same), or fwup: then it has to be able to read the bundle too',
      options: engines,
      default: 'auto' as const,
    })(),
  };

  protected async execute(): Promise<Inspected> {
    const { args, flags } = await this.parse(Inspect);
    const variables = { ...process.env, ...parseDefines(flags.define) };
    const source = await readFirmwareSource(args.bundle, { variables });
    if (source.bundle && flags.engine === 'fwup') await inspectBundle(args.bundle, { engine: 'fwup' });
    const summary = source.bundle
      ? { source: 'bundle' as const, ...source.bundle }
      : { source: 'configuration' as const, ...summarizeConfiguration(source) };
    const layout = diskLayout(diskModel(source.root, source.sizes));
    if (flags.svg === undefined) return { ...summary, layout };
    const title = [summary.product, summary.version].filter((text) => text !== '').join(' ') || args.bundle;
    await using files = new NewFiles();
    await files.reserve(flags.svg);
    await files.fill(flags.svg, diskSvg(layout, title));
    files.keep();
    return { ...summary, layout, svg: flags.svg };
  }

  protected render(inspected: Inspected): void {
    const option = stdoutOption();
    if (inspected.source === 'bundle') {
      this.print(formatBundle(inspected, inspected.signed ? 'there, not checked' : 'NONE', option));
    } else this.print(formatConfiguration(inspected, option));
    this.print(`\n${formatDiskLayout(inspected.layout, option)}`);
    if (inspected.svg !== undefined) this.note(`the drawing is in ${inspected.svg}`);
  }
}
