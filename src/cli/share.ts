import { FlotillaError } from '../error.ts';

/** "10%" or "0.1" as a share above 0 and up to 1. Undefined stays undefined. */
export function parseShare(text: string | undefined, flag: string): number | undefined {
  if (text === undefined) return undefined;
  const [, number, percent] = /^(\d+(?:\.\d+)?)(%?)$/.exec(text) ?? [];
  const share = number === undefined ? NaN : Number(number) / (percent === '%' ? 100 : 1);
  if (share > 0 && share <= 1) return share;
  throw new FlotillaError('usage', 'share-malformed', `${flag} is not a share`, {
    seen: JSON.stringify(text),
    expected: 'a percentage above 0% and up to 100%, such as 10%',
  });
}
