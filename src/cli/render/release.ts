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
  const deltas = formatDeltas(release, option);
  if (release.resources.length === 0) return fields + deltas;
  const resources = formatTable(
    release.resources,
    [
      { title: 'RESOURCE', value: (resource) => resource.name },
      { title: 'SIZE', value: (resource) => formatBytes(resource.lengthBytes), align: 'right' },
      { title: 'BLAKE2B-256', value: (resource) => resource.blake2b256, shrink: true },
    ],
    option,
  );
  return `${fields}\n${resources}${deltas}`;
}

function formatDeltas({ deltas = [], sizeBytes }: Release, option: TableOption): string {
  if (deltas.length === 0) return '';
  const table = formatTable(
    deltas,
    [
      { title: 'DELTA FROM', value: ({ fromVersion, fromUuid }) => fromVersion ?? fromUuid },
      {
        title: 'SIZE',
        value: (delta) => (delta.sizeBytes === undefined ? '' : formatBytes(delta.sizeBytes)),
        align: 'right',
      },
      {
        title: 'NOTE',
        value: (delta) => delta.reason ?? `${Math.round((100 * (delta.sizeBytes ?? 0)) / sizeBytes)} % of the whole`,
        shrink: true,
      },
    ],
    option,
  );
  return `\n${table}`;
}
