import { fromByteString } from '../config/source-text.ts';
import type { FirmwareSource } from './firmware-source.ts';

/** What a configuration says about the bundles that are built from it. Texts that it does not set are empty. */
export interface ConfigurationSummary {
  product: string;
  version: string;
  platform: string;
  architecture: string;
  author: string;
  description: string;
  vcsIdentifier: string;
  misc: string;
  /** In the order in which they are tried. */
  tasks: string[];
  /** Without a length where the file is not there. */
  resources: { name: string; lengthBytes?: number }[];
}

export function summarizeConfiguration({ root, sizes }: FirmwareSource): ConfigurationSummary {
  const text = (option: string): string => fromByteString(root.text(option) ?? '');
  return {
    product: text('meta-product'),
    version: text('meta-version'),
    platform: text('meta-platform'),
    architecture: text('meta-architecture'),
    author: text('meta-author'),
    description: text('meta-description'),
    vcsIdentifier: text('meta-vcs-identifier'),
    misc: text('meta-misc'),
    tasks: root.all('task').map((task) => fromByteString(task.title)),
    resources: root.all('file-resource').map(({ title }) => {
      const lengthBytes = sizes.get(title)?.bytes;
      return { name: fromByteString(title), ...(lengthBytes === undefined ? {} : { lengthBytes }) };
    }),
  };
}
