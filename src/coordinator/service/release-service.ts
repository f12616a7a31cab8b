import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Release } from '../../client/contract/release.ts';
import { FlotillaError } from '../../error.ts';
import { readPublicKey, verifyBundle, type BundleSummary } from '../../firmware/index.ts';
import type { CoreState, StoredRelease } from '../core/core-state.ts';
import { appendOwnEvent } from '../core/event-operation.ts';
import { receiveBlob, type ReceivedBlob } from './receive-blob.ts';
import { audit, type ServiceContext } from './context.ts';
import { findRelease } from './find-release.ts';

/** In order of publishing. */
export function listReleases({ core }: ServiceContext): Promise<Release[]> {
  return core.submit(({ state }) => [...state.releases.values()].map((stored) => viewRelease(state, stored)));
}

export function showRelease({ core }: ServiceContext, id: string): Promise<Release> {
  return core.submit(({ state }) => viewRelease(state, findRelease(state, id)));
}

function viewRelease({ releases }: CoreState, { release, deltas = [] }: StoredRelease): Release {
  if (deltas.length === 0) return release;
  const versions = new Map([...releases.values()].map(({ release: { bundleUuid, version } }) => [bundleUuid, version]));
  const shown = deltas.map(({ fromUuid, ...delta }) => {
    const fromVersion = versions.get(fromUuid);
    const from = { fromUuid, ...(fromVersion === undefined ? {} : { fromVersion }) };
    return 'offer' in delta ? { ...from, sizeBytes: delta.offer.sizeBytes } : { ...from, reason: delta.reason };
  });
  return { ...release, deltas: shown };
}

/**
 * Receives a bundle, proves its signature, and publishes it. Whatever goes wrong, nothing of it stays. The same content
 * under the same id again is no news; other content is refused: a release never changes.
 */
export async function publishRelease(context: ServiceContext, channel: string, body: Readable): Promise<Release> {
  requireName('channel', channel);
  await using blob = await receiveBlob(context.blobDirectory, body);
  const publicKeys = await readKeys(context.keyDirectory);
  const summary = await verifyBundle({ path: blob.path, publicKeys });
  requireName('product', summary.product);
  requireName('version', summary.version);
  const stored = releaseOf(context, channel, summary, blob);
  await context.core.submit(({ state }) => requireNew(state.releases.get(stored.release.id), stored.release));
  await blob.keep();
  const published = await context.core
    .submit((turn) => {
      const { release } = stored;
      const existing = turn.state.releases.get(release.id);
      requireNew(existing, release);
      if (existing !== undefined) return existing.release;
      turn.set(turn.state.releases, release.id, stored);
      const { id, sha256, publishedAtMs, bundleUuid } = release;
      turn.write({ kind: 'release', release: { id, sha256, publishedAtMs, document: stored } });
      turn.notify({ kind: 'release', id });
      const payload = { bundleUuid, sha256, by: context.actor };
      appendOwnEvent(turn, { deviceId: '', type: 'coordinator.release-published', key: id, payload });
      audit(turn, context, 'release.publish', id, payload);
      return release;
    })
    .catch(async (error) => {
      const used = [...context.core.state.releases.values()].some(({ release }) => release.sha256 === blob.sha256);
      if (!used) await blob.withdraw();
      throw error;
    });
  return published;
}

function releaseOf(
  context: ServiceContext,
  channel: string,
  summary: BundleSummary,
  { sha256, sizeBytes, partBytes, partSha256 }: ReceivedBlob,
): StoredRelease {
  const { product, version, platform, architecture, description, uuid: bundleUuid } = summary;
  if (summary.sha256 !== sha256 || summary.fileBytes !== sizeBytes) {
    throw new FlotillaError('ours', 'release-changed', 'the received file changed while it was checked', {
      seen: summary.sha256,
      expected: sha256,
    });
  }
  return {
    release: {
      id: `${product}/${version}/${channel}`,
      product,
      version,
      channel,
      ...(platform === '' ? {} : { platform }),
      ...(architecture === '' ? {} : { architecture }),
      ...(description === '' ? {} : { description }),
      bundleUuid,
      sha256,
      sizeBytes,
      partBytes,
      resources: summary.resources,
      publishedAtMs: context.clock.nowMs(),
      publishedBy: context.actor,
    },
    offer: {
      product,
      version,
      ...(platform === '' ? {} : { platform }),
      bundleUuid,
      sizeBytes,
      sha256,
      partBytes,
      partSha256,
    },
  };
}

function requireNew(existing: StoredRelease | undefined, release: Release): void {
  if (existing === undefined || existing.release.sha256 === release.sha256) return;
  throw new FlotillaError('refused', 'release-exists', `release ${release.id} is published with other content`, {
    seen: `sha256 ${release.sha256}`,
    expected: `sha256 ${existing.release.sha256}`,
    suggestion: 'give the bundle a new meta-version; a release never changes',
  });
}

/** Names stand in ids, paths and selectors. */
function requireName(what: string, name: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9._+~-]{0,63}$/.test(name)) return;
  throw new FlotillaError('usage', 'release-name', `the ${what} can't be part of a release's name`, {
    seen: JSON.stringify(name.slice(0, 80)),
    expected: 'one to 64 of A-Z a-z 0-9 . _ + ~ - with a letter or digit first',
    suggestion: what === 'channel' ? 'give another --channel' : `set meta-${what} in fwup.conf and build again`,
  });
}

/** No key means refuse: verifyBundle says so. */
async function readKeys(directory: string): Promise<Buffer[]> {
  const names = (await readdir(directory).catch(() => [])).filter((name) => name.endsWith('.pub')).toSorted();
  return Promise.all(names.map((name) => readPublicKey(join(directory, name))));
}
