/**
 * What may stand in a configuration: every section, its options and defaults. The order of these tables is the order
 * of meta.conf, and so decides a bundle's UUID.
 */
export type OptionType = 'string' | 'integer' | 'boolean' | 'integer-list' | 'string-list';

export interface OptionSpec {
  readonly name: string;
  readonly type: OptionType;
  /** A value equal to it is not written to meta.conf. */
  readonly default?: string | number | boolean | readonly number[];
  /** Accepted in a configuration, never written to meta.conf. */
  readonly creationOnly?: boolean;
}

/** Which calls a section takes: definitions at the root, requirements in a task, actions in on-… */
export type CallKind = 'definition' | 'requirement' | 'action';

export interface SectionSpec {
  readonly kind: string;
  readonly titled: boolean;
  readonly options: readonly OptionSpec[];
  readonly sections: readonly SectionSpec[];
  readonly calls?: CallKind;
  readonly includes?: boolean;
}

/** Stands for "not given" in block counts. */
export const unsetBlockCount = 2_147_483_647;

const text = (name: string): OptionSpec => ({ name, type: 'string' });
const creationText = (name: string): OptionSpec => ({ name, type: 'string', creationOnly: true });
const integer = (name: string, value?: number): OptionSpec => ({ name, type: 'integer', ...optionalDefault(value) });
const flag = (name: string): OptionSpec => ({ name, type: 'boolean', default: false });

function optionalDefault(value: number | undefined): { default?: number } {
  return value === undefined ? {} : { default: value };
}

const fileResource: SectionSpec = {
  kind: 'file-resource',
  titled: true,
  includes: true,
  options: [
    creationText('host-path'),
    { name: 'skip-holes', type: 'boolean', default: false, creationOnly: true },
    { name: 'length', type: 'integer-list', default: [0] },
    creationText('contents'),
    text('blake2b-256'),
    text('sha256'),
    { name: 'assert-size-lte', type: 'integer', default: -1, creationOnly: true },
    { name: 'assert-size-gte', type: 'integer', default: -1, creationOnly: true },
  ],
  sections: [],
};

const mbr: SectionSpec = {
  kind: 'mbr',
  titled: true,
  options: [
    creationText('bootstrap-code-host-path'),
    text('bootstrap-code'),
    flag('include-osip'),
    integer('osip-major', 1),
    integer('osip-minor', 0),
    integer('osip-num-pointers', 1),
    text('signature'),
  ],
  sections: [
    {
      kind: 'partition',
      titled: true,
      options: [
        text('block-offset'),
        integer('block-count', unsetBlockCount),
        integer('type', -1),
        flag('boot'),
        flag('expand'),
      ],
      sections: [],
    },
    {
      kind: 'osii',
      titled: true,
      options: [
        integer('os-major', 0),
        integer('os-minor', 0),
        integer('start-block-offset', 0),
        integer('ddr-load-address', 0),
        integer('entry-point', 0),
        integer('image-size-blocks', 0),
        integer('attribute', 15),
      ],
      sections: [],
    },
  ],
};

const gpt: SectionSpec = {
  kind: 'gpt',
  titled: true,
  options: [text('guid')],
  sections: [
    {
      kind: 'partition',
      titled: true,
      options: [
        text('block-offset'),
        integer('block-count', unsetBlockCount),
        text('type'),
        text('guid'),
        { name: 'name', type: 'string', default: '' },
        { name: 'flags', type: 'string', default: '0' },
        flag('expand'),
        flag('boot'),
      ],
      sections: [],
    },
  ],
};

const funlist: OptionSpec = { name: 'funlist', type: 'string-list' };
const verifyOnTheFly: OptionSpec = flag('verify-on-the-fly');
const event = (kind: string): SectionSpec => ({
  kind,
  titled: false,
  calls: 'action',
  includes: true,
  options: [funlist],
  sections: [],
});

const task: SectionSpec = {
  kind: 'task',
  titled: true,
  calls: 'requirement',
  includes: true,
  options: [
    { name: 'reqlist', type: 'string-list' },
    integer('require-partition1-offset', -1),
    flag('require-unmounted-destination'),
    verifyOnTheFly,
  ],
  sections: [
    event('on-init'),
    event('on-finish'),
    event('on-error'),
    {
      kind: 'on-resource',
      titled: true,
      calls: 'action',
      includes: true,
      options: [
        verifyOnTheFly,
        text('delta-source-raw-offset'),
        integer('delta-source-raw-count', unsetBlockCount),
        text('delta-source-raw-options'),
        text('delta-source-fat-offset'),
        text('delta-source-fat-path'),
        funlist,
      ],
      sections: [],
    },
  ],
};

const ubootEnvironment: SectionSpec = {
  kind: 'uboot-environment',
  titled: true,
  options: [text('block-offset'), integer('block-count'), text('block-offset-redund')],
  sections: [],
};

export const rootSpec: SectionSpec = {
  kind: 'configuration',
  titled: false,
  calls: 'definition',
  includes: true,
  options: [
    text('meta-product'),
    text('meta-description'),
    text('meta-version'),
    text('meta-author'),
    text('meta-platform'),
    text('meta-architecture'),
    creationText('meta-creation-date'),
    text('meta-fwup-version'),
    text('meta-vcs-identifier'),
    text('meta-misc'),
    creationText('meta-uuid'),
    creationText('meta-nickname'),
    { name: 'require-fwup-version', type: 'string', default: '0' },
    integer('block-cache-size-mb', 8),
  ],
  sections: [fileResource, mbr, gpt, task, ubootEnvironment],
};
