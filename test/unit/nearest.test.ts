import { describe, expect, it } from 'vitest';
import { nearest } from '../../src/nearest.ts';

describe('the nearest word', () => {
  const words = ['listen', 'link', 'log', 'gateways', 'rollouts'];
  it.each([
    ['lisen', 'listen'],
    ['gatewys', 'gateways'],
    ['LINK', 'link'],
    ['lgo', 'log'],
    ['lnik', 'link'],
    ['rollout', 'rollouts'],
    ['zebra', undefined],
    ['', undefined],
  ])('to %j is %j', (word, expected) => expect(nearest(word, words)).toBe(expected));
});
