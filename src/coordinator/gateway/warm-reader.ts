import type { RowDecoder } from '../../protocol/row-decoder.ts';
import type { GatewayConnection } from './gateway-connection.ts';

/** What this many devices have left behind is kept; of them, the one that left first goes first. */
const maxReaders = 1_024;

/** The state of rows of devices that are away: one that comes back to this gateway need not start cold. */
export class WarmReaders {
  readonly #readers = new Map<string, RowDecoder>();

  keep(connection: GatewayConnection): void {
    const { reader } = connection.session;
    if (reader === undefined) return;
    const name = nameOf(connection);
    this.#readers.delete(name);
    this.#readers.set(name, reader);
    if (this.#readers.size > maxReaders) this.#readers.delete(this.#readers.keys().next().value!);
  }

  /** For one session alone. */
  take(connection: GatewayConnection): { warm?: RowDecoder } {
    const name = nameOf(connection);
    const warm = this.#readers.get(name);
    this.#readers.delete(name);
    return warm === undefined ? {} : { warm };
  }
}

function nameOf({ identity, session }: GatewayConnection): string {
  return `${identity.deviceId}/${session.instanceId}`;
}
