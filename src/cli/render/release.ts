import type { Release } from '../../client/contract/index.ts';
import { formatAge, formatBytes, formatTime } from '../human.ts';
import { formatFields, formatTable, type TableOption } from '../table.ts';

export function formatReleases(releases: readonly Release[], nowMs: number, option: TableOption = {}): string {
  if (releases.length === 0) return 'no releases\n';
  return formatTable(
    releases,
    [
      { title: 'RELEASE', value: (release) => release.id },
      { title: 'SIZE', value: (release) => formatBytes(release.sizeBytes), align: 'right' },
      { title: 'PUBLISHED', value: (release) => formatAge(release.publishedAtMs, nowMs) },
      { title: 'BUNDLE', value: (release) => release.bundleUuid },
      { title: 'DESCRIPTION', value: (release) => release.description, shrink: true },
    ],
    option,
  );
}

export function formatRelease(release: Release, option: TableOption = {}): string {
  const fields = formatFields({
    release: release.id,
    description: release.description,
    platform: release.platform,
    architecture: release.architecture,
    bundle: release.bundleUuid,
    size: `${formatBytes(release.sizeBytes)} (${release.sizeBytes} bytes, parts of ${formatBytes(release.partBytes)})`,
    sha256: release.sha256,
    published: `${formatTime(release.publishedAtMs)} by ${release.publishedBy}`,
  });
  if (release.resources.length === 0) return fields;
  const resources = formatTable(
    release.resources,
    [
      { title: 'RESOURCE', value: (resource) => resource.name },
      { title: 'SIZE', value: (resource) => formatBytes(resource.lengthBytes), align: 'right' },
      { title: 'BLAKE2B-256', value: (resource) => resource.blake2b256, shrink: true },
    ],
    option,
  );
  return `${fields}\n${resources}`;
}
