import { Check } from 'typebox/value';
import { parseJsonRow, type DeviceLog, type StoredRequest } from '../eventlog/index.ts';
import type { Log } from '../log.ts';
import { requestSchemas, type RequestPayload, type RequestType } from '../protocol/request.ts';

/** Each must call `settle` inside the transaction of its effect. A type without one is not understood here. */
export type RequestHandlers = {
  [T in RequestType]?: (payload: RequestPayload[T], settle: () => void) => void | Promise<void>;
};

export interface InboxOption {
  log: DeviceLog;
  logger: Log;
  handlers: RequestHandlers;
  onFatal(error: unknown): void;
}

/** Hands the requests of the log to their handlers, one after the other, in order of arrival. */
export class Inbox {
  readonly #option: InboxOption;
  #working: Promise<void> | undefined;
  #stopped = false;

  constructor(option: InboxOption) {
    this.#option = option;
  }

  /** There may be requests in the log. */
  wake(): void {
    if (this.#stopped || this.#working) return;
    this.#working = this.#drainSafely();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#working;
  }

  async #drainSafely(): Promise<void> {
    try {
      await this.#drain();
    } catch (error) {
      this.#option.logger.fatal({ err: error }, 'a request could not be carried out');
      this.#option.onFatal(error);
      return;
    }
    this.#working = undefined;
    if (this.#option.log.unsettled().length > 0) this.wake(); // one came while the last was put away
  }

  async #drain(): Promise<void> {
    for (;;) {
      const requests = this.#option.log.unsettled();
      if (requests.length === 0) return;
      for (const request of requests) {
        if (this.#stopped) return;
        await this.#handle(request);
      }
    }
  }

  /** A request that no handler understands is settled too: it would stand in the way of every later one. */
  async #handle(request: StoredRequest): Promise<void> {
    const { log, logger, handlers } = this.#option;
    const settle = () => log.settle(request);
    const type = request.type as RequestType;
    const schema = Object.hasOwn(requestSchemas, type) ? requestSchemas[type] : undefined;
    const payload = schema === undefined ? undefined : readPayload(request);
    const handler = handlers[type] as ((payload: unknown, settle: () => void) => void | Promise<void>) | undefined;
    if (schema === undefined || handler === undefined || !Check(schema, payload)) {
      logger.warn(
        { type: request.type, key: request.key, seq: request.seq },
        'a request that this agent does not understand',
      );
      settle();
      return;
    }
    await handler(payload, settle);
  }
}

function readPayload(request: StoredRequest): unknown {
  try {
    return parseJsonRow(request);
  } catch {
    return undefined;
  }
}
