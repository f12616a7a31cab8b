const isLong = process.env['FLOTILLA_TESTS'] === 'long';

/** Of a long list of cases that are alike `npm test` tries each `step`-th; `npm run test:long` tries them all. */
export function sample<Case>(cases: readonly Case[], step: number): readonly Case[] {
  return isLong ? cases : cases.filter((_, index) => index % step === 0);
}
