import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { CoordinatorClient } from '../../../src/client/coordinator-client.ts';
import type { JobRequest } from '../../../src/client/contract/index.ts';
import { HttpConnection } from '../../../src/client/http-connection.ts';
import { coordinatorServerName, createDeviceKeyAndCsr } from '../../../src/pki/index.ts';
import { inTurn } from '../../support/bare-device.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';
import { cpuSecondsOf } from '../ingest/process-cpu.ts';
import type { CrowdLine, CrowdSetup } from './setup.ts';

const waitMs = 300_000;
const lookEveryMs = 4;

interface Spread {
  p50: number;
  p99: number;
  last: number;
}

export interface JobTiming {
  devices: number;
  /** From the request to `POST /v1/jobs` until a result is in the SQLite file, looked at every few milliseconds. */
  storedMs: Spread;
  /** Until the device has its acknowledgement. */
  acknowledgedMs: Spread;
  /** Until the job itself is stored as finished, read from the SQLite file. */
  finishedMs: number;
  resultsPerSecond: number;
  /** Until every acknowledgement has come. */
  cpuMsAResult: { core: number; gateways: number; crowd: number };
}

/** A coordinator as `flotilla coordinator start` starts it, and sessions of many devices in processes of their own. */
export class CrowdFleet implements AsyncDisposable {
  readonly fleet: TestFleet;
  readonly client: CoordinatorClient;
  readonly serverName: string;
  readonly #pids: { core: number; gateways: number[] };
  readonly #database: DatabaseSync;
  readonly #stack: AsyncDisposableStack;
  readonly #jobs = new Map<string, Extract<CrowdLine, { kind: 'job' }>[]>();
  #processes = 0;
  /** Of the crowds. */
  devices = 0;

  private constructor(
    fleet: TestFleet,
    client: CoordinatorClient,
    {
      serverName,
      pids,
      databasePath,
    }: { serverName: string; pids: { core: number; gateways: number[] }; databasePath: string },
    stack: AsyncDisposableStack,
  ) {
    this.fleet = fleet;
    this.client = client;
    this.serverName = serverName;
    this.#pids = pids;
    this.#stack = stack;
    this.#database = new DatabaseSync(databasePath, { readOnly: true });
    stack.defer(() => this.#database.close());
  }

  static async start(option: { gateways: number }): Promise<CrowdFleet> {
    await using started = new AsyncDisposableStack();
    const fleet = started.use(await createFleet(option));
    const client = new CoordinatorClient(new HttpConnection(join(fleet.dir, 'run', 'api.sock')));
    const { fleetId, pid, gateways, store } = await client.status();
    const pids = { core: pid, gateways: gateways.map((gateway) => gateway.pid) };
    const serverName = coordinatorServerName(fleetId);
    return new CrowdFleet(fleet, client, { serverName, pids, databasePath: store.path }, started.move());
  }

  /** Real keys and certificates, signed over the API. */
  async enroll(ids: readonly string[]): Promise<CrowdSetup['devices']> {
    const devices: CrowdSetup['devices'] = [];
    await inTurn(ids, 16, async (id) => {
      const { csrPem, privateKeyPem } = await createDeviceKeyAndCsr(id);
      const { certificate, authority } = await this.client.sign({ csr: csrPem });
      devices.push({ id, keyPem: privateKeyPem, certificatePem: certificate.pem, authorityPem: authority });
    });
    return devices;
  }

  /** Devices that answer, in a process of their own; connected when this resolves. */
  async addCrowd(ids: readonly string[]): Promise<void> {
    await this.startCrowd(ids);
    this.#processes += 1;
    this.devices += ids.length;
  }

  /** The same, but nobody waits for what they answer. Resolves with the pid. */
  async startCrowd(ids: readonly string[], port = this.fleet.port): Promise<number> {
    const setup: CrowdSetup = { port, serverName: this.serverName, devices: await this.enroll(ids) };
    const child = execa(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'crowd.ts')],
      { input: JSON.stringify(setup), stderr: 'inherit', buffer: false, reject: false },
    );
    this.#stack.defer(async () => {
      child.kill('SIGKILL');
      await child;
    });
    const ready = Promise.withResolvers<void>();
    createInterface({ input: child.stdout }).on('line', (text) => {
      const line = JSON.parse(text) as CrowdLine;
      if (line.kind === 'ready') ready.resolve();
      else this.#jobs.set(line.jobId, [...(this.#jobs.get(line.jobId) ?? []), line]);
    });
    void child.then(() => ready.reject(new Error('a crowd has ended')));
    await ready.promise;
    return child.pid!;
  }

  /** Runs one job. Not `whole`: only the devices of the crowds are waited for, and the job is cancelled then. */
  async run(request: Pick<JobRequest, 'selector'> & Partial<JobRequest>, { whole = true } = {}): Promise<JobTiming> {
    const cpuBefore = this.cpu();
    const atMs = Date.now();
    const seen = this.#lastOffset();
    const { id, matched } = await this.client.startJob({ action: { kind: 'ping' }, ...request });
    const stored = await this.#stored(id, seen);
    const lines = await this.#until(`the crowds have their acknowledgements of ${id}`, () => {
      const told = this.#jobs.get(id) ?? [];
      return told.length === this.#processes ? told : undefined;
    });
    if (whole) await this.finished(id);
    const cpu = this.cpu();
    const finishedMs = whole ? this.#finishedAtMs(id)! - atMs : 0;
    const acknowledged = lines.flatMap(({ acknowledgedAtMs }) => acknowledgedAtMs);
    this.requireStored(id, whole ? matched : this.devices);
    if (!whole) await this.client.cancelJob(id);
    const storedMs = spread(stored, atMs);
    const perResult = (seconds: number): number => Math.round((seconds * 1e6) / this.devices) / 1e3;
    return {
      devices: this.devices,
      storedMs,
      acknowledgedMs: spread(acknowledged, atMs),
      finishedMs,
      resultsPerSecond: Math.round(this.devices / (Math.max(storedMs.last, finishedMs) / 1_000)),
      cpuMsAResult: {
        core: perResult(cpu.core - cpuBefore.core),
        gateways: perResult(cpu.gateways - cpuBefore.gateways),
        crowd: perResult(lines.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0)),
      },
    };
  }

  /** Resolves when the job is stored as finished, read from the SQLite file. */
  async finished(id: string): Promise<void> {
    await this.#until(`${id} is stored as finished`, () => (this.#finishedAtMs(id) === undefined ? undefined : 1));
  }

  /** Of the coordinator, seconds so far. */
  cpu(): { core: number; gateways: number } {
    return { core: cpuSecondsOf([this.#pids.core]), gateways: cpuSecondsOf(this.#pids.gateways) };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }

  #finishedAtMs(id: string): number | undefined {
    const row = this.#database.prepare('SELECT document FROM job WHERE id = ? AND active = 0').get(id);
    return row === undefined
      ? undefined
      : (JSON.parse(String(row['document'])) as { finishedAtMs: number }).finishedAtMs;
  }

  /** What an acknowledgement says is not believed. */
  requireStored(id: string, expected: number): void {
    const sql = `SELECT count(*) AS rows FROM job_device WHERE parent = ? AND document ->> '$.outcome' = 'succeeded'`;
    const stored = Number(this.#database.prepare(sql).get(id)?.['rows']);
    if (stored !== expected) throw new Error(`${expected} results were acknowledged, ${stored} are stored`);
  }

  /** When each result of the crowds was first seen in the file, behind `seen`: a device answers a ping with one event. */
  async #stored(id: string, seen: number): Promise<number[]> {
    const atMs: number[] = [];
    const rows = this.#database.prepare(
      `SELECT count(*) FILTER (WHERE type = 'flotilla.job' AND key = :id) AS results, max(offset) AS last
       FROM event WHERE offset > :seen`,
    );
    return this.#until(`the results of ${id} are stored`, () => {
      const { results, last } = rows.get({ id, seen }) as { results: number; last: number | null };
      seen = last ?? seen;
      atMs.push(...Array.from({ length: results }, () => Date.now()));
      return atMs.length >= this.devices ? atMs : undefined;
    });
  }

  #lastOffset(): number {
    return Number(this.#database.prepare('SELECT max(offset) AS last FROM event').get()?.['last'] ?? 0);
  }

  async #until<T>(what: string, look: () => T | undefined): Promise<T> {
    const deadlineMs = Date.now() + waitMs;
    for (;;) {
      const seen = look();
      if (seen !== undefined) return seen;
      if (Date.now() > deadlineMs) throw new Error(`not within ${waitMs} ms: ${what}`);
      await sleep(lookEveryMs);
    }
  }
}

function spread(times: readonly number[], sinceMs: number): Spread {
  const sorted = times.map((ms) => ms - sinceMs).toSorted((a, b) => a - b);
  return { p50: at(sorted, 0.5), p99: at(sorted, 0.99), last: sorted.at(-1)! };
}

function at(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}
