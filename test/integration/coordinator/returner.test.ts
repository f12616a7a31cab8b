/** Where results of jobs go: a file, a program, an HTTP service. Real core, real processes, a real server. */
import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ReturnerConfig } from '../../../src/config/returner.ts';
import { FileReturner } from '../../../src/coordinator/returner/file-returner.ts';
import type { ReturnedResult } from '../../../src/coordinator/returner/returner.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { startCore, type CoreBench, type FakeDevice } from './core-bench.ts';
import { enroll } from './enroll.ts';

const option = { timeoutMs: 5_000, maxBytes: 1_000_000, keep: 1, always: false };
const returners = (over: Record<string, Partial<ReturnerConfig>>) => ({
  returners: Object.fromEntries(Object.entries(over).map(([name, one]) => [name, { ...option, ...one }])),
});

async function connected(core: CoreBench, id: string): Promise<FakeDevice> {
  const device = core.gateways.connect(await enroll(core.client, id));
  await device.admitted.promise;
  return device;
}

/** Runs a job on `gw-*` that all of these end well. */
async function runJob(core: CoreBench, devices: readonly FakeDevice[], asked: string[]): Promise<string> {
  const action = { kind: 'command' as const, argv: ['uname'] };
  const { id } = await core.client.startJob({ selector: 'gw-*', action, returners: asked });
  for (const device of devices) {
    const { seq } = await device.request('job.start');
    device.confirm(seq);
    const event = { jobId: id, state: 'finished', outcome: 'succeeded', exitCode: 0, stdout: 'Linux' };
    device.say('flotilla.job', event, { key: id });
    device.requests.length = 0;
    await device.heard();
  }
  return id;
}

const linesOf = async (path: string): Promise<ReturnedResult[]> => {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
};
const eventually = { timeout: 15_000, interval: 50 };

describe('a returner', () => {
  it('appends each result to a file, also of devices that the coordinator has given up, and over a restart', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'out', 'results.ndjson');
    const config = returners({ archive: { file, always: true } });
    const first = await startCore(directory.path, config);
    const device = await connected(first, 'gw-1');
    const id = await runJob(first, [device], []);
    await expect
      .poll(() => linesOf(file), eventually)
      .toMatchObject([
        {
          version: 1,
          idempotencyKey: `${id}/gw-1`,
          job: { id, action: { argv: ['uname'] } },
          result: { deviceId: 'gw-1', outcome: 'succeeded', stdout: 'Linux' },
        },
      ]);
    await first.coordinator.stop();

    await using second = await startCore(directory.path, config);
    const away = await second.client.startJob({ selector: 'gw-1', action: { kind: 'command', argv: ['true'] } });
    await second.client.cancelJob(away.id);
    await expect
      .poll(async () => (await linesOf(file)).map(({ result }) => result.outcome), eventually)
      .toEqual(['succeeded', 'cancelled']);
    const unknown = second.client.startJob({
      selector: 'gw-1',
      action: { kind: 'command', argv: ['true'] },
      returners: ['nobody'],
    });
    await expect(unknown).rejects.toMatchObject({ code: 'returner-unknown', fault: 'usage' });
  });

  it('gives each result to a program, without a shell', async () => {
    await using directory = await temporaryDirectory();
    const out = join(directory.path, 'out.ndjson');
    const script = `read -r line; printf '%s\\n' "$line" >> '${out}'`;
    const config = returners({ ticket: { command: ['/bin/sh', '-c', script] } });
    await using core = await startCore(directory.path, config);
    const device = await connected(core, 'gw-1');
    await runJob(core, [device], []); // not asked for
    const id = await runJob(core, [device], ['ticket']);
    await expect
      .poll(async () => (await linesOf(out)).map(({ idempotencyKey }) => idempotencyKey), eventually)
      .toEqual([`${id}/gw-1`]);
  });

  it('posts each result, signed; tries again what fails, and sets aside what is refused', async () => {
    await using directory = await temporaryDirectory();
    const secretFile = join(directory.path, 'web.key');
    await writeFile(secretFile, 'a key of some length\n');
    await chmod(secretFile, 0o600);
    const seen: { key: string; signature: string; body: string; status: number }[] = [];
    const server = createServer((request, response) => {
      void (async () => {
        const body = await bodyOf(request);
        const { result } = JSON.parse(body) as ReturnedResult;
        const isFirst = !seen.some(({ body: before }) => before === body);
        const status = result.deviceId === 'gw-2' ? 400 : isFirst ? 503 : 204;
        const headers = request.headers as Record<string, string>;
        seen.push({ key: headers['idempotency-key']!, signature: headers['flotilla-signature']!, body, status });
        response.writeHead(status).end();
      })();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/results`;
      await using core = await startCore(directory.path, returners({ web: { url, secretFile } }));
      const devices = [await connected(core, 'gw-1'), await connected(core, 'gw-2')];
      const id = await runJob(core, devices, ['web']);
      const statuses = (device: string) => () =>
        seen.flatMap(({ key, status }) => (key === `${id}/${device}` ? [status] : []));
      await expect.poll(statuses('gw-1'), eventually).toEqual([503, 204]);
      await expect
        .poll(() => core.client.deadLetters({ layer: 'handler' }), eventually)
        .toMatchObject([{ consumer: 'returner.web', reason: expect.stringContaining('400') }]);
      expect(statuses('gw-2')()).toEqual([400]); // the other side's last word
      for (const { signature, body } of seen) {
        const [, atMs, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(signature)!;
        const key = createHmac('sha256', 'a key of some length');
        expect(mac).toBe(key.update(`${atMs}.${body}`).digest('hex'));
      }
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('keeps its file within bounds', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'results.ndjson');
    const file = new FileReturner({ path, maxBytes: 300, keep: 1 });
    const result = (n: number) => ({ idempotencyKey: `${n}`, filler: 'x'.repeat(90) }) as unknown as ReturnedResult;
    for (let n = 0; n < 7; n += 1) await file.deliver(result(n));
    file.sync();
    file.close();
    const keys = async (name: string) => (await linesOf(name)).map(({ idempotencyKey }) => Number(idempotencyKey));
    expect([await keys(`${path}.1`), await keys(path)]).toEqual([[4, 5], [6]]);
  });
});

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
