/** A load generator of bench:ingest, a process of its own: many connections, each with one batch after the other. */
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { readSchema } from '../../../src/protocol/schema-catalogue.ts';
import { loadEventSet, meterSchema } from '../wire/event-set.ts';
import { EventSource } from './event-source.ts';
import { FlotillaSpeaker } from './flotilla-speaker.ts';
import { MqttSpeaker } from './mqtt-speaker.ts';
import { NatsSpeaker } from './nats-speaker.ts';
import type { GeneratorReport, GeneratorSetup } from './setup.ts';
import type { Speaker, SpeakerOption } from './speaker.ts';

const setup = JSON.parse(await text(process.stdin)) as GeneratorSetup;
const { dialect, port, serverName, packed, batchRows, maxUnconfirmed, warmUpMs, measureMs, vectorDirectory } = setup;
const events = await loadEventSet(vectorDirectory, 'c1');
const { fingerprint, text: schemaText } = await meterSchema(vectorDirectory);
const schemas = new Map([[fingerprint, readSchema(schemaText)]]);
/** Handshakes at a time: brokers drop what comes faster. */
const maxDials = 32;

let phase: 'dial' | 'warm' | 'measure' | 'drain' = 'dial';
let sent = 0;
let confirmed = 0;
let confirmedInWindow = 0;
const latenciesMs: number[] = [];

class Producer {
  readonly speaker: Speaker;
  readonly #source = new EventSource(events);
  #offset = 0;
  #unconfirmed = 0;
  /** Batches that are out: events left of each, and when it was handed over. */
  readonly #out: { left: number; atMs: number }[] = [];

  constructor(device: GeneratorSetup['devices'][number]) {
    const option: SpeakerOption = {
      id: device.id,
      onConfirmed: (count) => this.#onConfirmed(count),
      onFailed: (reason) => fail(`${device.id}: ${reason}`),
    };
    const dial = { ...option, pems: device, port, serverName };
    this.speaker =
      dialect === 'flotilla'
        ? new FlotillaSpeaker({ ...dial, schemas })
        : dialect === 'nats'
          ? new NatsSpeaker({ ...dial, packed })
          : new MqttSpeaker({ ...dial, packed });
  }

  get unconfirmed(): number {
    return this.#unconfirmed;
  }

  pump(): void {
    if (phase !== 'warm' && phase !== 'measure') return;
    while (this.#unconfirmed + batchRows <= maxUnconfirmed && this.speaker.open) {
      const batch = this.#source.take(batchRows);
      this.#out.push({ left: batchRows, atMs: performance.now() });
      this.#unconfirmed += batchRows;
      sent += batchRows;
      this.speaker.send(batch, this.#offset);
      this.#offset += batchRows;
    }
  }

  #onConfirmed(count: number): void {
    this.#unconfirmed -= count;
    confirmed += count;
    if (phase === 'measure') confirmedInWindow += count;
    for (let left = count; left > 0;) {
      const batch = this.#out[0]!;
      const taken = Math.min(left, batch.left);
      batch.left -= taken;
      left -= taken;
      if (batch.left > 0) break;
      this.#out.shift();
      if (phase === 'measure') latenciesMs.push(performance.now() - batch.atMs);
    }
    this.pump();
  }
}

const producers: Producer[] = [];
const deadline = performance.now() + 120_000;
for (const device of setup.devices) {
  producers.push(new Producer(device));
  while (producers.filter(({ speaker }) => !speaker.ready).length >= maxDials) await settle();
}
while (producers.some(({ speaker }) => !speaker.ready)) await settle();
process.stderr.write(`${producers.length} connections are ready\n`);

phase = 'warm';
for (const producer of producers) producer.pump();
await sleep(warmUpMs);
const cpuBefore = process.cpuUsage();
const startMs = performance.now();
phase = 'measure';
process.stdout.write('{"phase":"measure"}\n');
await sleep(measureMs);
phase = 'drain';
process.stdout.write('{"phase":"drain"}\n');
const windowMs = performance.now() - startMs;
const cpu = process.cpuUsage(cpuBefore);
while (producers.some(({ unconfirmed }) => unconfirmed > 0)) await settle();

latenciesMs.sort((a, b) => a - b);
const at = (share: number): number => Math.round((latenciesMs[Math.floor(latenciesMs.length * share)] ?? 0) * 10) / 10;
const report: GeneratorReport = {
  connections: producers.length,
  confirmedInWindow,
  windowMs,
  confirmed,
  sent,
  latencyMs: { median: at(0.5), p99: at(0.99), max: Math.round(latenciesMs.at(-1) ?? 0) },
  cpuSeconds: (cpu.user + cpu.system) / 1e6,
};
process.stdout.write(`${JSON.stringify(report)}\n`);
for (const { speaker } of producers) speaker.end();
setTimeout(() => process.exit(0), 500);

async function settle(): Promise<void> {
  if (performance.now() > deadline + warmUpMs + measureMs) fail('not everything was confirmed in time');
  await sleep(5);
}

function fail(reason: string): never {
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}
