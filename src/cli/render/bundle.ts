import type { BundleSummary, ConfigurationSummary } from '../../firmware/index.ts';
import { formatBytes } from '../human.ts';
import { formatFields, formatTable, type TableOption } from '../table.ts';

/** What a bundle says about itself; what it does not say is left out. */
export function formatBundle(bundle: BundleSummary, signature: string, option: TableOption = {}): string {
  const join = (...parts: string[]): string | undefined => parts.filter((part) => part !== '').join(' ') || undefined;
  const fields = formatFields({
    product: join(bundle.product, bundle.version),
    description: join(bundle.description),
    author: join(bundle.author),
    platform: join(bundle.platform, bundle.architecture),
    vcs: join(bundle.vcsIdentifier),
    misc: join(bundle.misc),
    created: bundle.creationDate,
    uuid: bundle.uuid,
    signature,
    tasks: bundle.tasks.join(', '),
    size: `${formatBytes(bundle.fileBytes)} (${bundle.fileBytes} bytes)`,
    sha256: bundle.sha256,
  });
  if (bundle.resources.length === 0) return fields;
  const resources = formatTable(
    bundle.resources,
    [
      { title: 'RESOURCE', value: (resource) => resource.name },
      { title: 'SIZE', value: (resource) => formatBytes(resource.lengthBytes), align: 'right' },
      { title: 'BLAKE2B-256', value: (resource) => resource.blake2b256, shrink: true },
    ],
    option,
  );
  return `${fields}\n${resources}`;
}

/** What a configuration says about the bundles that it makes. */
export function formatConfiguration(configuration: ConfigurationSummary, option: TableOption = {}): string {
  const join = (...parts: string[]): string | undefined => parts.filter((part) => part !== '').join(' ') || undefined;
  const fields = formatFields({
    product: join(configuration.product, configuration.version),
    description: join(configuration.description),
    author: join(configuration.author),
    platform: join(configuration.platform, configuration.architecture),
    vcs: join(configuration.vcsIdentifier),
    misc: join(configuration.misc),
    tasks: configuration.tasks.join(', '),
  });
  if (configuration.resources.length === 0) return fields;
  const resources = formatTable(
    configuration.resources,
    [
      { title: 'RESOURCE', value: ({ name }) => name },
      { title: 'SIZE', value: ({ lengthBytes }) => (lengthBytes === undefined ? 'not there' : formatBytes(lengthBytes)), align: 'right' }, // prettier-ignore
    ],
    option,
  );
  return `${fields}\n${resources}`;
}
