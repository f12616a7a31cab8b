import { FlotillaError } from '../error.ts';
import { askLine } from './confirm.ts';

export interface SendConfirmed<T> {
  /** Sends the request; `expect` is the number of devices that the operator has agreed to. */
  send: (expect: number | undefined) => Promise<T>;
  /** --expect N. */
  expect: number | undefined;
  /** --yes: never ask; only together with --expect, because "yes" to an unknown number is no answer. */
  yes: boolean;
  json: boolean;
}

/** By this the coordinator asks for the number of devices: too large a share of the fleet matches. */
const confirmable = 'confirmation-needed';

/** Sends; when the coordinator wants a confirmation, asks a person on a terminal to type the number of devices. */
export async function sendConfirmed<T>({ send, expect, yes, json }: SendConfirmed<T>): Promise<T> {
  if (yes && expect === undefined) {
    throw new FlotillaError('usage', 'yes-without-expect', '--yes needs to know to how many devices', {
      suggestion: 'add --expect N, with the number that --dry-run tells',
    });
  }
  try {
    return await send(expect);
  } catch (error) {
    const askable = error instanceof FlotillaError && error.code === confirmable && !yes && !json;
    if (!askable || !process.stdin.isTTY || !process.stderr.isTTY) throw error;
    const typed = await askLine(`${error.message}: ${error.detail.seen ?? ''}\nType the number of devices to go on: `);
    if (!/^\d+$/.test(typed)) {
      throw new FlotillaError('refused', 'confirmation-declined', 'nothing was started', {
        seen: JSON.stringify(typed),
        expected: 'the number of devices',
        cause: error,
      });
    }
    // The coordinator compares: a wrong number, or a fleet that has changed meanwhile, is refused.
    return send(Number(typed));
  }
}
