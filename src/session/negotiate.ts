import { features, type Hello } from '../protocol/message.ts';

/** The bits that both have. Features go to 2^53 - 1: beyond what a number's own `&` can do. */
export function commonFeatures(a: number, b: number): number {
  return Number(BigInt(a) & BigInt(b));
}

export function hasFeature(common: number, name: keyof typeof features): boolean {
  return commonFeatures(common, features[name]) !== 0;
}

/** The highest version that both sides speak, or undefined. */
export function commonVersion(
  hello: Pick<Hello, 'minVersion' | 'maxVersion'>,
  spoken: { min: number; max: number },
): number | undefined {
  if (hello.minVersion > hello.maxVersion) return undefined;
  const version = Math.min(hello.maxVersion, spoken.max);
  return version >= hello.minVersion && version >= spoken.min ? version : undefined;
}
