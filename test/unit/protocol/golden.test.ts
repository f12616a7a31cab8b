import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeMessage } from '../../../src/protocol/decode.ts';
import { encodeMessage } from '../../../src/protocol/encode.ts';
import { FrameDecoder, FrameType } from '../../../src/protocol/frame.ts';
import type { Message, RowMessage } from '../../../src/protocol/message.ts';
import { RowDecoder } from '../../../src/protocol/row-decoder.ts';
import { noSchemas } from '../../../src/protocol/schema-catalogue.ts';

interface Vector {
  name: string;
  hex: string;
  message: unknown;
}

/** Written by hand from docs/protocol.md, for every implementation. */
const { frames } = JSON.parse(readFileSync(new URL('../../vectors/protocol/frame.json', import.meta.url), 'utf8')) as {
  frames: Vector[];
};

const bytesOf = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

describe('the wire, byte by byte', () => {
  it.each(frames.map(({ name, hex, message }) => [name, hex, message] as const))('%s', (_, hex, message) => {
    const bytes = bytesOf(hex);
    expect(Buffer.from(encodeMessage(fromVector(message) as Message)).toString('hex')).toBe(bytes.toString('hex'));
    const decoded = [...new FrameDecoder().push(bytes)].map(decodeMessage);
    expect(decoded.map(toVector)).toEqual([message]);
  });

  it('has an example of every type that is spoken', () => {
    const seen = new Set(frames.map(({ hex }) => bytesOf(hex)[0]! >> 4));
    const { ext: _, ...spoken } = FrameType;
    expect([...seen].toSorted((a, b) => a - b)).toEqual(Object.values(spoken));
  });

  it('its rows are rows', () => {
    const bodies = frames.filter(({ name }) => /^(EVENT|BATCH)/.test(name)).map(({ hex }) => bytesOf(hex));
    const sizes = bodies.flatMap((bytes) => {
      const [read] = [...new FrameDecoder().push(bytes)].map(decodeMessage);
      return new RowDecoder(noSchemas).decode(read as RowMessage).rows.map(({ payload }) => payload.length);
    });
    expect(sizes).toEqual([2, 1, 1, 6, 262, 65_529]);
  });

  it('a code that a later version sends keeps its retry hint', () => {
    const [frame] = new FrameDecoder().push(Buffer.from('e363ac02', 'hex'));
    expect(decodeMessage(frame!)).toEqual({ type: 'goaway', code: 'other', retryAfterMs: 300, detail: '' });
  });
});

/** 64-bit numbers stand as 0x and 16 digits, bytes as {"hex"}. */
function toVector(value: unknown): unknown {
  if (typeof value === 'bigint') return `0x${value.toString(16).padStart(16, '0')}`;
  if (value instanceof Uint8Array) return { hex: Buffer.from(value).toString('hex') };
  if (Array.isArray(value)) return value.map(toVector);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, toVector(part)]));
}

function fromVector(value: unknown): unknown {
  if (typeof value === 'string' && /^0x[0-9a-f]{16}$/.test(value)) return BigInt(value);
  if (Array.isArray(value)) return value.map(fromVector);
  if (typeof value !== 'object' || value === null) return value;
  if ('hex' in value && typeof value.hex === 'string') return Uint8Array.from(Buffer.from(value.hex, 'hex'));
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, fromVector(part)]));
}
