/**
 * What a bundle costs on the wire: a real link and a real gateway process, the agent's own download, and a proxy between
 * them that counts the TCP payload of both directions, handshakes included.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../../src/clock.ts';
import { downloadBundle } from '../../../src/agent/updater/download.ts';
import type { FileOffer } from '../../../src/protocol/request.ts';
import { createCountingProxy, type CountingProxy } from '../../support/counting-proxy.ts';
import { eventually } from '../../support/eventually.ts';
import { createBench, textRow } from '../../support/link-bench.ts';

export interface UpdateBytes {
  sizeBytes: number;
  cuts: number;
  connections: number;
  payloadBytes: number;
  /** Of the payload over the size. */
  overShare: number;
}

const partBytes = 262_144;

/** `cuts`: how often the connection is cut, at even distances. */
export async function measureUpdateBytes({
  sizeBytes,
  cuts,
}: {
  sizeBytes: number;
  cuts: number;
}): Promise<UpdateBytes> {
  await using bench = await createBench();
  await using proxy = await createCountingProxy(bench.pool.port);
  const bundle = randomBytes(sizeBytes);
  const sha256 = createHash('sha256').update(bundle).digest('hex');
  await writeFile(join(bench.fleet.blobDirectory, sha256), bundle);
  const endpoint = { host: '127.0.0.1', port: proxy.port, serverName: bench.fleet.serverName };
  const device = await bench.addDevice('d1', { link: { endpoint } });
  // Every connection is granted the blob before it can ask, as an offer that stands does it.
  const { connect } = bench.core;
  bench.core.connect = (asked) => {
    connect.call(bench.core, asked);
    bench.pool.grantBlob(asked.connection, sha256);
  };
  await eventually('the device is there', () => bench.core.session('d1'));
  bench.pool.grantBlob(bench.core.session('d1')!.connect.connection, sha256);
  bench.core.request('d1', textRow('offer'));
  await eventually('the offer has come', () => device.log.unsettled().length === 1, { everyMs: 1 });
  const file: FileOffer = { sizeBytes, sha256, partBytes, partSha256: hashesOf(bundle) };
  const path = join(bench.fleet.directory, 'download.fw');
  const watching = cutEvenly(proxy, sizeBytes, cuts);
  await downloadBundle({
    file,
    path,
    link: device.link,
    clock: systemClock,
    signal: new AbortController().signal,
    parts: new Set<number>(),
    onPart: () => undefined,
    admit: () => Promise.resolve(),
  });
  clearInterval(watching);
  if (!(await readFile(path)).equals(bundle)) throw new Error('what was fetched is not the bundle');
  const payloadBytes = proxy.connections.reduce((sum, { upBytes, downBytes }) => sum + upBytes + downBytes, 0);
  return {
    sizeBytes,
    cuts: proxy.connections.length - 1,
    connections: proxy.connections.length,
    payloadBytes,
    overShare: Number((payloadBytes / sizeBytes - 1).toFixed(5)),
  };
}

function cutEvenly(proxy: CountingProxy, sizeBytes: number, cuts: number): NodeJS.Timeout {
  let done = 0;
  return setInterval(() => {
    const downBytes = proxy.connections.reduce((sum, each) => sum + each.downBytes, 0);
    if (done >= cuts || downBytes < ((done + 1) * sizeBytes) / (cuts + 1)) return;
    done += 1;
    proxy.cut();
  }, 1);
}

function hashesOf(bundle: Buffer): string[] {
  return Array.from({ length: Math.ceil(bundle.length / partBytes) }, (_, part) =>
    createHash('sha256')
      .update(bundle.subarray(part * partBytes, (part + 1) * partBytes))
      .digest('hex'),
  );
}
