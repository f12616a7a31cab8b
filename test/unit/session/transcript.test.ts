import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { transcript } from './transcript.ts';

const { steps } = JSON.parse(readFileSync(new URL('../../vectors/protocol/session.json', import.meta.url), 'utf8')) as {
  steps: { by: string; hex: string }[];
};

it('both ends write the session of the vectors, byte by byte', () => {
  expect(transcript()).toEqual(steps.map(({ by, hex }) => `${by} ${hex.replaceAll(' ', '')}`));
});
