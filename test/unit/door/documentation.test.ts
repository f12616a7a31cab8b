/** docs/guide/door.md against the code: someone writes a client from it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as door from '../../../src/door/index.ts';
import { maxKeyBytes, maxPayloadBytes, maxTypeBytes } from '../../../src/protocol/limit.ts';
import { top } from '../../support/cli.ts';
import { readSourceTree } from '../../support/source-tree.ts';

const text = readFileSync(join(top, 'docs', 'guide', 'door.md'), 'utf8');

describe('the guide to the door', () => {
  it('has every verb with every field', () => {
    const missing = Object.entries(door.requestSchemas).flatMap(([shape, { properties }]) => {
      const [verb = ''] = shape.split(' ');
      const names = Object.keys(properties).filter((name) => name !== 'id' && name !== 'verb');
      return [verb, ...names].filter((name) => !text.includes(`\`${name}\``)).map((name) => `${shape}: ${name}`);
    });
    expect(missing).toEqual([]);
  });

  it('has every error', () => {
    const sources = readSourceTree(['src/agent/door/*.ts']).map(({ text: source }) => source);
    const codes = sources.flatMap((source) =>
      [...source.matchAll(/new (?:Door|Flotilla)Error\(\s*'\w+',\s*'([a-z-]+)'/g)].map(([, code]) => code!),
    );
    expect(codes.length).toBeGreaterThan(10);
    // Those of the start are told in the agent's log, not at the door.
    const told = codes.filter((code) => !code.startsWith('door-'));
    expect(told.filter((code) => !text.includes(`\`${code}\``))).toEqual([]);
  });

  it('has every bound', () => {
    const row = (name: string) => text.split('\n').find((line) => line.startsWith(`| ${name}`)) ?? '';
    expect(row('a line')).toContain(`${door.maxLineBytes} bytes`);
    expect(row('connections')).toContain(`${door.maxConnections}`);
    expect(row('publishes of one connection')).toContain(`${door.maxInFlight}`);
    expect(row('rows of one')).toContain(`${door.maxRows}`);
    expect(row('arrays and objects')).toContain(`${door.maxDepth}`);
    expect(row("an event's type")).toContain(`${maxTypeBytes}, ${maxKeyBytes} and ${maxPayloadBytes} bytes`);
    expect(row('a document')).toContain(`${door.maxFactBytes} bytes`);
    expect(row('documents of a device')).toContain(`${door.maxDocuments}, ${door.maxRequestTypes}`);
    expect(text).toContain(['the third ends', 'the second ends'][3 - door.maxBadLines]);
  });

  it('shows requests and answers that are of their schemas', () => {
    const lines = [...text.matchAll(/^[→←] (\{.*(?:\n {3}.*)*)$/gm)].map(([, line]) => line!.replaceAll(/\n {3}/g, ''));
    expect(lines.length).toBeGreaterThan(12);
    for (const line of lines) expect(() => JSON.parse(line.replace(',…]', ']')) as unknown).not.toThrow();
  });
});
