import { FlotillaError } from '../../error.ts';

/** One open stream of a consumer: what it was given and has not answered. */
export class ConsumerStream {
  readonly session: string;
  readonly inFlight = new Set<number>();
  /** The one row in flight was given alone. */
  alone = false;
  #ended: FlotillaError | undefined;
  #wake: (() => void) | undefined;
  #woken = false;

  constructor(session: string) {
    this.session = session;
  }

  /** Throws once another stream has taken over. */
  check(): void {
    if (this.#ended !== undefined) throw this.#ended;
  }

  end(error: FlotillaError): void {
    this.#ended = error;
    this.wake();
  }

  answered(offset: number): void {
    this.inFlight.delete(offset);
    if (this.inFlight.size === 0) this.alone = false;
    this.wake();
  }

  wake(): void {
    this.#woken = true;
    this.#wake?.();
  }

  /** Until something has happened since the last call, or so long. */
  async wait(schedule: (delayMs: number, act: () => void) => () => void, delayMs?: number): Promise<void> {
    if (!this.#woken) {
      await new Promise<void>((resolve) => {
        const cancel = delayMs === undefined ? undefined : schedule(delayMs, resolve);
        this.#wake = () => {
          cancel?.();
          resolve();
        };
      });
      this.#wake = undefined;
    }
    this.#woken = false;
  }
}

/** The open stream of each consumer; in memory, as presence is. */
export class ConsumerStreams {
  readonly #streams = new Map<string, ConsumerStream>();

  /** A second stream on a name takes over: the older one ends with an error. */
  open(name: string, session: string): ConsumerStream {
    this.end(
      name,
      new FlotillaError('refused', 'consumer-superseded', `another stream reads as ${name} now`, {
        suggestion: 'give each reader a consumer of its own',
      }),
    );
    const stream = new ConsumerStream(session);
    this.#streams.set(name, stream);
    return stream;
  }

  of(name: string): ConsumerStream | undefined {
    return this.#streams.get(name);
  }

  /** It has ended by itself. */
  close(name: string, stream: ConsumerStream): void {
    if (this.#streams.get(name) === stream) this.#streams.delete(name);
  }

  end(name: string, error: FlotillaError): void {
    this.#streams.get(name)?.end(error);
    this.#streams.delete(name);
  }
}
