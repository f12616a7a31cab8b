import type { Server, Socket } from 'node:net';
import type { Clock } from '../../clock.ts';
import type { EventsConfig } from '../../config/agent-config.ts';
import {
  DoorError,
  errorOfRow,
  maxConnections,
  type DoorRequest,
  type DoorStatus,
  type RequestOf,
  type RequestShape,
} from '../../door/index.ts';
import { FlotillaError } from '../../error.ts';
import type { DeviceLog } from '../../eventlog/index.ts';
import type { Log } from '../../log.ts';
import type { Link } from '../link/port.ts';
import { DoorConnection } from './door-connection.ts';
import { listenAt } from './door-listener.ts';
import { eventRow, type LaneRow } from './event-row.ts';
import type { ProductSchemas } from './product-schema.ts';
import { PublishQueue } from './publish-queue.ts';
import { createRequestReader } from './read-request.ts';
import { StatusWatch } from './status-watch.ts';

export interface DoorOption {
  config: EventsConfig;
  schemas: ProductSchemas;
  log: Pick<DeviceLog, 'append' | 'transact'>;
  link: Pick<Link, 'wake' | 'status' | 'onChange'>;
  agentVersion: string;
  clock: Clock;
  logger: Log;
  waiting(): DoorStatus['lanes'];
  onFatal(error: unknown): void;
}

type Verbs = { [S in RequestShape]: (request: RequestOf<S>, from: DoorConnection) => object | Promise<object> };

const tooManyRetryMs = 1_000;

/** The agent's door for the programs of the product: who is connected, and which verb does what. */
export class Door {
  readonly #option: DoorOption;
  readonly #connections = new Set<DoorConnection>();
  readonly #read = createRequestReader();
  readonly #queue: PublishQueue;
  readonly #watch: StatusWatch;
  #server: Server | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(option: DoorOption) {
    const { log, logger, clock, link } = option;
    this.#option = option;
    this.#watch = new StatusWatch(clock, () => this.status());
    this.#queue = new PublishQueue({
      log,
      logger,
      monotonicMs: () => clock.monotonicMs(),
      onCommit: () => link.wake(),
      onPressure: () => this.#watch.poke(),
      onFatal: option.onFatal,
    });
  }

  /** @throws FlotillaError when the socket can't be had */
  async start(): Promise<void> {
    const { config, schemas, logger, link } = this.#option;
    for (const fault of schemas.faults) logger.error(fault, 'a schema of the product can not be used');
    this.#server = await listenAt(config.socket, (socket) => this.#welcome(socket));
    this.#unsubscribe = link.onChange(() => this.#watch.poke());
    logger.info({ socket: config.socket, schemas: schemas.byType.size }, 'the door is open');
  }

  /** What was taken is written and answered; then every program is sent away. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#unsubscribe?.();
    this.#watch.stop();
    this.#queue.flush();
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const connection of this.#connections) connection.end();
    const cancel = this.#option.clock.schedule(200, () => {
      for (const connection of this.#connections) connection.destroy();
    });
    await closed;
    cancel();
  }

  status(): DoorStatus {
    const { agentVersion, link, schemas, waiting } = this.#option;
    const { state, sinceMs, reason } = link.status();
    return {
      door: 1,
      agentVersion,
      link: { state, sinceMs, ...(reason === undefined ? {} : { reason }) },
      lanes: waiting(),
      schemas: [...schemas.byType.values()].map(({ type, fingerprint }) => ({
        type,
        fingerprint: fingerprint.toString(16).padStart(16, '0'),
      })),
      schemaFaults: [...schemas.faults],
      pressure: this.#queue.pressure,
    };
  }

  readonly #verbs: Verbs = {
    publish: async ({ id: _, verb: __, ...event }) => {
      const [published] = await this.#queue.add([this.#row(event)]);
      return published!;
    },
    'publish rows': async ({ rows }) => ({ rows: await this.#queue.add(rows.map((event, n) => this.#row(event, n))) }),
    status: () => this.status(),
    watch: ({ id }, from) => this.#watch.add(from, id),
  };

  #row(event: Parameters<typeof eventRow>[0], n?: number): LaneRow {
    const { config, schemas, clock } = this.#option;
    try {
      return eventRow(event, { types: config.types, schemas, nowMs: clock.nowMs() });
    } catch (error) {
      throw n !== undefined && error instanceof FlotillaError ? errorOfRow(error, n) : error;
    }
  }

  #welcome(socket: Socket): void {
    if (this.#connections.size >= maxConnections) {
      const error = new DoorError('failed', 'busy', `${maxConnections} programs are connected already`, {
        retryAfterMs: tooManyRetryMs,
      });
      socket.on('error', () => undefined);
      socket.end(`${JSON.stringify({ id: null, error: error.toJSON() })}\n`, () => socket.destroy());
      return;
    }
    const connection = new DoorConnection(socket, {
      clock: this.#option.clock,
      read: this.#read,
      answer: (shape, request, from) => this.#answer(shape, request, from),
      onClose: (gone) => this.#forget(gone),
      onFault: (error) => this.#option.logger.error({ err: error }, 'a request at the door failed'),
    });
    this.#connections.add(connection);
  }

  #answer<S extends RequestShape>(shape: S, request: DoorRequest, from: DoorConnection): object | Promise<object> {
    const verb = this.#verbs[shape] as (request: DoorRequest, from: DoorConnection) => object | Promise<object>;
    return verb(request, from);
  }

  #forget(connection: DoorConnection): void {
    this.#connections.delete(connection);
    this.#watch.remove(connection);
  }
}
