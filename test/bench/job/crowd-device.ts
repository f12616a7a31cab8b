import { randomBytes } from 'node:crypto';
import { BatchDecoderWorkspace, BatchWorkspace } from '../../../src/protocol/columns/index.ts';
import { Lane, type Row } from '../../../src/protocol/lane.ts';
import { requestVersions } from '../../../src/protocol/request.ts';
import { noSchemas } from '../../../src/protocol/schema-catalogue.ts';
import { DeviceSession } from '../../../src/session/device-session.ts';
import type { ByteStream, StreamReceiver } from '../../../src/transport/byte-stream.ts';
import { dialTls } from '../../../src/transport/tls-dialer.ts';
import type { CrowdSetup } from './setup.ts';

/** Buffers of all sessions of this process, as in an agent with one. */
const workspace = { encoder: new BatchWorkspace('range'), decoder: new BatchDecoderWorkspace() };
const maxFlushBytes = 65_536;
const agentVersion = '0.1.0';

interface Run {
  jobId: string;
  action?: { kind: string };
}

/** A device reads its request; the thousands of this process are told the same, and read it once. */
let lastPayload: Uint8Array = Buffer.alloc(0);
let lastRun: Run | undefined;
function readRun(payload: Uint8Array): Run {
  if (lastRun !== undefined && Buffer.compare(lastPayload, payload) === 0) return lastRun;
  lastPayload = Uint8Array.from(payload);
  lastRun = JSON.parse(Buffer.from(payload).toString()) as Run;
  return lastRun;
}

export interface CrowdDeviceOption {
  device: CrowdSetup['devices'][number];
  port: number;
  serverName: string;
  onReady(): void;
  onRequest(jobId: string): void;
  /** The coordinator has acknowledged this device's result. */
  onAcknowledged(jobId: string): void;
  onFailed(reason: string): void;
}

/**
 * An agent without its disk and its processes: the real session over real TLS, and an executor that says of each job
 * what an agent would, at once.
 */
export class CrowdDevice implements StreamReceiver {
  readonly #option: CrowdDeviceOption;
  readonly #session: DeviceSession;
  readonly #results: { seq: number; jobId: string }[] = [];
  #stream: ByteStream | undefined;
  #nextSeq = 1;
  #acceptsSeq = 0;

  constructor(option: CrowdDeviceOption) {
    const { device, port, serverName, onFailed } = option;
    const { keyPem, certificatePem, authorityPem } = device;
    this.#option = option;
    this.#session = new DeviceSession(
      {
        instanceId: randomBytes(8).readBigUInt64BE() || 1n,
        knownCoordinatorInstanceId: 0n,
        nextSeq: [1, 1, 1, 1],
        requestCursor: [0, 0, 0, 0],
        agentVersion,
        newInstance: false,
      },
      { schemas: noSchemas, untold: new Set(), workspace, keepaliveMs: 600_000, answerTimeoutMs: 120_000 },
      performance.now(),
    );
    dialTls({
      host: '127.0.0.1',
      port,
      serverName,
      keyPem,
      certificatePem,
      authorityPem,
      keyExchange: 'classic',
      onStream: (stream) => {
        this.#stream = stream;
        stream.attach(this);
        this.#flush();
      },
      onFailed,
      onTicket: () => undefined,
    });
  }

  onBytes(bytes: Uint8Array): void {
    for (const effect of this.#session.receive(bytes, performance.now())) {
      if (effect.kind === 'live') {
        this.#acceptsSeq = this.#say('flotilla.accepts', '', { agentVersion, accepts: requestVersions });
      } else if (effect.kind === 'rows') {
        for (const row of effect.rows) this.#carryOut(row);
        this.#session.acknowledge(effect.lane, effect.firstSeq + effect.rows.length - 1);
      } else if (effect.kind === 'acked' && effect.lane === Lane.control) this.#acknowledged(effect.upToSeq);
      else if (effect.kind === 'nacked') this.#option.onFailed(`not taken: ${JSON.stringify(effect.nack)}`);
      else if (effect.kind === 'closed') this.#option.onFailed(JSON.stringify(effect.close));
    }
    this.#flush();
  }

  onDrain(): void {
    this.#flush();
  }

  onClose(reason: string): void {
    this.#option.onFailed(reason);
  }

  #carryOut({ type, payload }: Row): void {
    if (type !== 'job.start' && type !== 'job.run') return;
    const { jobId, action } = readRun(payload);
    this.#option.onRequest(jobId);
    const startedAtMs = Date.now();
    // A ping has no process that could be lost on the way: there is nothing to say before its end.
    if (action?.kind !== 'ping') this.#say('flotilla.job', jobId, { jobId, state: 'started', startedAtMs });
    const finishedAtMs = Date.now();
    const result = { jobId, state: 'finished', outcome: 'succeeded', exitCode: 0, startedAtMs, finishedAtMs };
    this.#results.push({ seq: this.#say('flotilla.job', jobId, result), jobId });
  }

  #say(type: string, key: string, value: unknown): number {
    const seq = this.#nextSeq++;
    const payload = Buffer.from(JSON.stringify(value));
    this.#session.enqueue(Lane.control, seq, [{ type, key, timestampMs: Date.now(), schema: 0n, payload }]);
    return seq;
  }

  #acknowledged(upToSeq: number): void {
    if (this.#acceptsSeq > 0 && this.#acceptsSeq <= upToSeq) {
      this.#acceptsSeq = 0;
      this.#option.onReady();
    }
    while (this.#results[0] !== undefined && this.#results[0].seq <= upToSeq) {
      this.#option.onAcknowledged(this.#results.shift()!.jobId);
    }
  }

  #flush(): void {
    const bytes = this.#session.flush(performance.now(), maxFlushBytes);
    if (bytes !== undefined) this.#stream?.write(bytes);
  }
}
