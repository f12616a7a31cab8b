import { fromByteString } from '../config/source-text.ts';
import { formatRange, endOf, segmentBlocks } from '../layout/block-range.ts';
import type { Rule } from './rule.ts';

/** Rules on the bundle as such, and on the U-Boot environment. */
export const metadataRules: readonly Rule[] = [
  {
    code: 'metadata-missing',
    severity: 'warning',
    why: 'releases are told apart, and kept from foreign boards, by product, version and platform',
    mend: 'set it; the version from outside: meta-version = ${VERSION} and --define VERSION=…',
    *check({ model: { root } }) {
      for (const name of ['meta-product', 'meta-version', 'meta-platform']) {
        if ((root.text(name) ?? '') === '') yield { place: root.placeOf(name), seen: `${name} is not set` };
      }
    },
  },
  {
    code: 'unsigned',
    severity: 'warning',
    why: 'no device and no coordinator takes it',
    mend: 'sign it with `flotilla firmware sign`',
    *check({ source, model }) {
      if (source.bundle?.signed === false) yield { place: model.root.place, seen: 'the bundle has no signature' };
    },
  },
  {
    code: 'unknown-name',
    severity: 'warning',
    why: 'an engine that does not know it refuses the bundle, or steps over it',
    mend: 'leave it out, or say with require-fwup-version which engine is needed',
    *check({ source }) {
      for (const { name, place } of source.unknown) yield { place, seen: `'${fromByteString(name)}' is not known` };
    },
  },
  {
    code: 'environment-not-redundant',
    severity: 'warning',
    why: 'when the power fails while its only copy is written, every variable is lost and the boot loader takes its defaults', // prettier-ignore
    mend: 'give it a second copy with block-offset-redund, and U-Boot CONFIG_SYS_REDUNDAND_ENVIRONMENT',
    *check({ model }) {
      for (const environment of model.root.all('uboot-environment')) {
        const isWritten = model.tasks.some(({ kind, steps }) => kind !== 'install' && steps.some(({ effects }) => effects.some((effect) => effect.kind === 'environment' && effect.environment === environment.title))); // prettier-ignore
        if (environment.has('block-offset-redund') || !isWritten) continue;
        yield {
          place: environment.place,
          seen: `${fromByteString(environment.title)} has one copy, and tasks change it`,
        };
      }
    },
  },
  {
    code: 'environment-copies-close',
    severity: 'warning',
    why: 'both copies lie in one piece of 128 KiB, which is written as a whole: one power cut can take both',
    mend: 'put the second copy at another multiple of 256 blocks',
    *check({ model }) {
      for (const environment of model.root.all('uboot-environment')) {
        const copies = model.regions.filter((region) => region.environment === environment);
        const [first, second] = copies;
        if (first === undefined || second === undefined) continue;
        const segment = (block: number): number => Math.floor(block / segmentBlocks);
        if (segment(endOf(first.range) - 1) < segment(second.range.firstBlock)) continue;
        yield { place: second.place, seen: `the copies of ${fromByteString(environment.title)} are at ${formatRange(first.range)} and ${formatRange(second.range)}` }; // prettier-ignore
      }
    },
  },
];
