import type { FlotillaError } from '../../error.ts';

/** What this needs of a socket. */
interface Cuttable {
  destroy(): unknown;
}

interface Live {
  credential: string;
  ended: AbortController;
}

/** Open connections of operators, each with the one credential that it was first used with. */
export class LiveConnections {
  readonly #live = new Map<Cuttable, Live>();

  /** Aborts, with the reason, when the credential ends. Undefined when another one has this connection. */
  bind(socket: Cuttable, credential: string): AbortSignal | undefined {
    const known = this.#live.get(socket);
    if (known !== undefined) return known.credential === credential ? known.ended.signal : undefined;
    const ended = new AbortController();
    this.#live.set(socket, { credential, ended });
    return ended.signal;
  }

  has(socket: Cuttable): boolean {
    return this.#live.has(socket);
  }

  release(socket: Cuttable): void {
    this.#live.delete(socket);
  }

  count(credentials: readonly string[]): number {
    return [...this.#live.values()].filter(({ credential }) => credentials.includes(credential)).length;
  }

  /**
   * Ends every connection whose credential is refused now: what streams says why, and a moment later it is cut.
   * @param cutLater calls back once that moment is over
   */
  sweep(refusalOf: (credential: string) => FlotillaError | undefined, cutLater: (cut: () => void) => void): void {
    for (const [socket, { credential, ended }] of this.#live) {
      if (ended.signal.aborted) continue;
      const refusal = refusalOf(credential);
      if (refusal === undefined) continue;
      ended.abort(refusal);
      cutLater(() => socket.destroy());
    }
  }
}
