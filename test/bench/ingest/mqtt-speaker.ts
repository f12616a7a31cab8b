import { Buffer } from 'node:buffer';
import type { TLSSocket } from 'node:tls';
import type { DevicePems } from '../../support/link-bench.ts';
import { brokerMessages } from '../wire/batch-body.ts';
import type { WireEvent } from '../wire/event-set.ts';
import type { Speaker, SpeakerOption } from './speaker.ts';
import { connectTls } from './tls-socket.ts';

/** MQTT 3.1.1 (OASIS), QoS 1, written by hand so that no client library is what is measured. */
export class MqttSpeaker implements Speaker {
  readonly #option: SpeakerOption & { packed: boolean };
  readonly #socket: TLSSocket;
  #ready = false;
  #partial: Buffer = Buffer.alloc(0);
  #lastId = 0;
  /** Events of each message that is out, oldest first. */
  readonly #out: number[] = [];

  constructor(option: SpeakerOption & { pems: DevicePems; port: number; serverName: string; packed: boolean }) {
    this.#option = option;
    this.#socket = connectTls(
      option.port,
      option.serverName,
      option.pems,
      (bytes) => this.#receive(bytes),
      (reason) => option.onFailed(reason),
    );
    this.#socket.once('secureConnect', () => this.#socket.write(connectPacket(option.id, true)));
  }

  get ready(): boolean {
    return this.#ready;
  }

  get open(): boolean {
    return this.#socket.writableLength < 65_536;
  }

  send(events: WireEvent[], firstOffset: number): void {
    const messages = brokerMessages(this.#option.packed ? 'rows' : 'each', events, firstOffset);
    this.#socket.cork();
    for (const { topic, body } of messages) {
      this.#lastId = (this.#lastId % 65_535) + 1;
      this.#out.push(events.length / messages.length);
      this.#socket.write(publishPacket(topic.join('/'), this.#lastId, body));
    }
    this.#socket.uncork();
  }

  end(): void {
    this.#socket.end(Buffer.from([0xe0, 0]));
  }

  #receive(bytes: Buffer): void {
    let rest = this.#partial.length === 0 ? bytes : Buffer.concat([this.#partial, bytes]);
    let confirmed = 0;
    // CONNACK and PUBACK are 4 bytes each, and nothing else comes.
    while (rest.length >= 4) {
      const type = rest[0]! >> 4;
      if (type === 2) {
        if (rest[3] !== 0) this.#option.onFailed(`CONNACK ${rest[3]}`);
        this.#ready = true;
      } else if (type === 4) confirmed += this.#out.shift()!;
      else this.#option.onFailed(`packet type ${type}`);
      rest = rest.subarray(4);
    }
    this.#partial = rest;
    if (confirmed > 0) this.#option.onConfirmed(confirmed);
  }
}

function remainingLength(length: number): Buffer {
  const bytes: number[] = [];
  let rest = length;
  do {
    const byte = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? byte | 128 : byte);
  } while (rest > 0);
  return Buffer.from(bytes);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
}

export function connectPacket(id: string, clean: boolean): Buffer {
  const body = Buffer.concat([text('MQTT'), Buffer.from([4, clean ? 2 : 0, 0, 240]), text(id)]);
  return Buffer.concat([Buffer.from([0x10]), remainingLength(body.length), body]);
}

export function subscribePacket(topic: string): Buffer {
  const body = Buffer.concat([Buffer.from([0, 1]), text(topic), Buffer.from([1])]);
  return Buffer.concat([Buffer.from([0x82]), remainingLength(body.length), body]);
}

function publishPacket(topic: string, id: number, payload: Buffer): Buffer {
  const head = Buffer.concat([text(topic), Buffer.from([id >> 8, id & 255])]);
  return Buffer.concat([Buffer.from([0x32]), remainingLength(head.length + payload.length), head, payload]);
}
