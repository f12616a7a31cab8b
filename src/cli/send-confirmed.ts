import { FlotillaError } from '../error.ts';
import { askLine } from './confirm.ts';

export interface SendConfirmed<T> {
  /** Sends the request; `expect` is the number of devices that the operator has agreed to. */
  send: (expect: number | undefined) => Promise<T>;
  /** How many devices match now. */
  count: () => Promise<number>;
  /** --expect N. */
  expect: number | undefined;
  /** --yes: never ask; only together with --expect, because "yes" to an unknown number is no answer. */
  yes: boolean;
  json: boolean;
}

/** The code with which the coordinator asks for the number of devices, above its share of the fleet. */
export const confirmationNeeded = 'confirmation-needed';

/** Sends; when the coordinator wants a confirmation, asks a person on a terminal to type the number of devices. */
export async function sendConfirmed<T>({ send, count, expect, yes, json }: SendConfirmed<T>): Promise<T> {
  if (yes && expect === undefined) {
    throw new FlotillaError('usage', 'yes-without-expect', '--yes needs to know to how many devices', {
      suggestion: 'add --expect N, with the number that `flotilla select match` tells',
    });
  }
  try {
    return await send(expect);
  } catch (error) {
    const askable = error instanceof FlotillaError && error.code === confirmationNeeded && expect === undefined;
    if (!askable || json || !process.stdin.isTTY || !process.stderr.isTTY) throw error;
    const matched = await count();
    const typed = await askLine(`${error.message}\nType the number of devices (${matched}) to go on: `);
    if (typed !== String(matched)) {
      throw new FlotillaError('refused', 'confirmation-declined', 'nothing was started', {
        seen: JSON.stringify(typed),
        expected: String(matched),
      });
    }
    return send(matched);
  }
}
