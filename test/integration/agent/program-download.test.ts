/** The download of another agent, over a link that comes and goes, and what is seen of it at the device. */
import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { placeProgram } from '../../../src/agent/program/place-program.ts';
import { ProgramFolder } from '../../../src/agent/program/program-folder.ts';
import { programLeftMs } from '../../../src/agent/program/program-limit.ts';
import { isLive } from '../../../src/agent/program/program-update.ts';
import { requireRoom } from '../../../src/agent/updater/download.ts';
import { buildAgentBundle } from '../../../src/cli/agent-bundle.ts';
import { formatUpdateHistory, formatUpdateStatus } from '../../../src/cli/render/agent-update.ts';
import { openDoor } from '../../../src/door/index.ts';
import { FlotillaError } from '../../../src/error.ts';
import { readPublicKey, writeKeyPair } from '../../../src/firmware/index.ts';
import { agentParts, type AgentParts } from '../../support/agent-parts.ts';
import { openBench } from '../../support/door-bench.ts';
import { eventually } from '../../support/eventually.ts';
import { programUpdater } from '../../support/program-updater.ts';
import { offerOf } from '../../support/updating-device.ts';

const settle = () => undefined;

/** Its link gives parts while it is live, and breaks behind so many bytes of a request. */
async function deviceWithBundle(parts: AgentParts) {
  const at = (name: string) => join(parts.dir, name);
  const { publicKeyPath, privateKeyPath } = await writeKeyPair(at('key'));
  await writeFile(at('agent.js'), randomBytes(1_500_000).toString('hex').slice(0, 1_600_000));
  await buildAgentBundle({ agentFile: at('agent.js'), version: '2.0.0', outputPath: at('a.fw'), privateKeyPath });
  const bytes = await readFile(at('a.fw'));
  const seen = { given: 0, restarts: 0, breakAt: Infinity };
  parts.link.fetch = ({ offset, length, into, onBytes }) => {
    const last = seen.given + length >= seen.breakAt ? Math.floor(length / 2) : length;
    bytes.copy(into!, 0, offset, offset + last);
    onBytes?.(last);
    seen.given += last;
    if (last === length) return Promise.resolve(into!.subarray(0, length));
    seen.breakAt = Infinity;
    parts.link.turn('waiting');
    return Promise.reject(new FlotillaError('failed', 'link-lost', 'the link is gone'));
  };
  const { bundle, expiresAtMs } = await offerOf(at('a.fw'), 'u1');
  const option = {
    machine: { bootId: () => 'boot-1', uptimeMs: () => parts.clock.monotonicMs() },
    publicKeys: [await readPublicKey(publicKeyPath)],
    launch: { programs: at('program'), base: '0'.repeat(64), restart: () => void (seen.restarts += 1) },
  };
  return { seen, sizeBytes: bytes.length, offer: { updateId: 'u1', bundle, expiresAtMs }, option };
}

it('goes on where the link was lost, fetches nothing twice, and is seen at the device', async () => {
  await using parts = await agentParts();
  const { seen, sizeBytes, offer, option } = await deviceWithBundle(parts);
  const updater = programUpdater(parts, option);
  await updater.start();
  const bench = await openBench(parts, { programs: updater });
  await using client = await openDoor({ socket: bench.socket });
  expect(await client.updateStatus()).toEqual({ configured: false });

  seen.breakAt = sizeBytes / 3;
  updater.offer(offer, settle);
  await eventually('the link is gone', () => parts.link.status().state === 'waiting');
  const { agentUpdate } = await client.updateStatus();
  expect(agentUpdate).toMatchObject({ rolloutId: 'u1', source: 'agent', version: '2.0.0', state: 'downloading' });
  expect(formatUpdateStatus(await client.updateStatus(), Date.now())).toMatch(
    /agent: +2\.0\.0 by update u1\n.*downloading/s,
  );
  parts.link.turn('live');
  await eventually('it leaves for the new one', () => seen.restarts === 1);
  expect(seen.given).toBe(sizeBytes);

  const [record] = await client.updateHistory();
  expect(record).toMatchObject({
    source: 'agent',
    state: 'testing',
    attempt: 1,
    evidence: { before: { version: '1.0.0' } },
  });
  expect(record!.evidence.downloadedBytes).toBe(sizeBytes);
  expect(formatUpdateHistory([record!])).toContain('agent');
  await updater.stop();
  await bench.door.stop();
});

it('goes on in another process with what is on the disk', async () => {
  await using parts = await agentParts();
  const { seen, sizeBytes, offer, option } = await deviceWithBundle(parts);
  const first = programUpdater(parts, option);
  await first.start();
  seen.breakAt = sizeBytes / 2;
  first.offer(offer, settle);
  await eventually('the link is gone', () => parts.link.status().state === 'waiting');
  await first.stop();
  const given = seen.given;

  const second = programUpdater(parts, option);
  await second.start();
  parts.link.turn('live');
  await eventually('it leaves for the new one', () => seen.restarts === 1);
  // The parts that the first had not finished, and no others.
  expect(seen.given - given).toBeLessThan(sizeBytes * 0.75);
  await second.stop();
});

it('is given up when it has taken as long as it may, by what no clock can set', async () => {
  await using parts = await agentParts({ linked: false });
  const { offer, option } = await deviceWithBundle(parts);
  const first = programUpdater(parts, { ...option, machine: { bootId: () => 'boot-1', uptimeMs: () => 5_000 } });
  await first.start();
  first.offer(offer, settle);
  await first.stop();
  const [begun] = first.history(1);
  if (begun === undefined || !isLive(begun)) throw new Error('it was not taken');
  const leftMs = programLeftMs(begun, { proveSeconds: 10 }, { nowMs: 0, bootId: 'boot-1', uptimeMs: 5_000 });

  const stateAt = async (uptimeMs: number) => {
    const later = programUpdater(parts, { ...option, machine: { bootId: () => 'boot-1', uptimeMs: () => uptimeMs } });
    await later.start();
    await later.stop();
    return later.history(1)[0];
  };
  expect(await stateAt(leftMs + 4_000)).toMatchObject({ state: 'downloading' });
  expect(await stateAt(leftMs + 6_000)).toMatchObject({ state: 'failed', reason: { code: 'timed-out-downloading' } });
});

it('leaves nothing half written behind where it can not be put in its place', async () => {
  await using parts = await agentParts();
  const { offer, option } = await deviceWithBundle(parts);
  const folder = new ProgramFolder(option.launch.programs, option.launch.base);
  const place = { path: join(parts.dir, 'a.fw'), offer: offer.bundle, publicKeys: option.publicKeys };
  const stopped = AbortSignal.abort(new Error('the agent stops'));
  await expect(placeProgram(folder, place, stopped)).rejects.toThrow('aborted');
  expect(await readdir(folder.path)).toEqual([]);
  await expect(requireRoom(parts.dir, 2 ** 50)).rejects.toMatchObject({ code: 'no-room' });
});
