import type { Server, Socket } from 'node:net';
import type { DatabaseSync } from 'node:sqlite';
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
import type { TimeResetRequest } from '../../protocol/request.ts';
import type { AbandonHandlers, RequestHandlers } from '../inbox.ts';
import type { Link } from '../link/port.ts';
import { Announcement } from './announcement.ts';
import { DocumentDesk } from './document-desk.ts';
import { DoorConnection } from './door-connection.ts';
import { listenAt } from './door-listener.ts';
import { eventRow, type LaneRow } from './event-row.ts';
import { isDatabaseError, logRefusal } from './log-refusal.ts';
import { PublishQueue } from './publish-queue.ts';
import { createRequestReader } from './read-request.ts';
import { RequestDesk } from './request-desk.ts';
import type { SchemaShelf } from './schema-shelf.ts';
import { StatusWatch } from './status-watch.ts';
import { TurnBudget } from './turn-budget.ts';
import { UpdateDesk, type UpdateDeskOption } from './update-desk.ts';
import { refuseDeep } from './value-depth.ts';

export interface DoorOption {
  config: EventsConfig;
  schemas: SchemaShelf;
  database: DatabaseSync;
  log: Pick<DeviceLog, 'append' | 'appendAll' | 'transact' | 'requestCursor' | 'state'>;
  link: Pick<Link, 'wake' | 'status' | 'onChange' | 'coordinatorNowMs'>;
  agentVersion: string;
  clock: Clock;
  logger: Log;
  /** Of this device: who it is, and how its clock stands. */
  describe?(): Pick<DoorStatus, 'deviceId' | 'clock' | 'update' | 'revertedBundles'>;
  updates: Omit<UpdateDeskOption, 'clock'>;
  /** A program holds the restart of the machine up, or does not any more. */
  onRebootHold(): void;
  /** An order of the root came in by hand. */
  onTimeReset(reset: TimeResetRequest): Promise<void>;
  /** Somebody at the device lets it take a bundle again; false when it had not gone back from it. */
  onAllowBundle(bundleUuid: string): boolean;
  onFatal(error: unknown): void;
}

type Verbs = { [S in RequestShape]: (request: RequestOf<S>, from: DoorConnection) => object | Promise<object> };

const tooManyRetryMs = 1_000;

/** The agent's door for the programs of the product: who is connected, and which verb does what. */
export class Door {
  readonly #option: DoorOption;
  readonly #connections = new Set<DoorConnection>();
  readonly #budget = new TurnBudget();
  readonly #read = createRequestReader();
  readonly #queue: PublishQueue;
  readonly #watch: StatusWatch;
  readonly #documents: DocumentDesk;
  readonly #requests: RequestDesk;
  readonly #announcement: Announcement;
  readonly #updates: UpdateDesk;
  readonly #rebootHolds = new Map<DoorConnection, { reason: string; defer: boolean }>();
  #server: Server | undefined;
  #unsubscribe: (() => void) | undefined;
  #stopped = false;

  constructor(option: DoorOption) {
    const { log, clock, link } = option;
    const onAppend = () => link.wake();
    this.#option = option;
    this.#documents = new DocumentDesk({ ...option, onAppend });
    this.#requests = new RequestDesk(option);
    this.#updates = new UpdateDesk({ ...option.updates, clock });
    this.#announcement = new Announcement({ ...option, onAppend });
    this.#watch = new StatusWatch(clock, () => this.status());
    this.#queue = new PublishQueue({
      log,
      monotonicMs: () => clock.monotonicMs(),
      onCommit: onAppend,
      onPressure: () => this.#watch.poke(),
      onFault: (error) => this.#fault(error),
    });
  }

  /** What the coordinator asks of this part of the agent. */
  get handlers(): RequestHandlers {
    return {
      'config.desired': (desired, settle) => this.#documents.desire(desired, settle),
      'product.request': (request, settle) => this.#requests.receive(request, settle),
      'schema.tell': (tell, settle) => {
        this.#option.schemas.tell(tell, settle);
        this.#option.link.wake();
      },
    };
  }

  /** A request that this part could not even take: whoever waits for its answer gets one. */
  get abandon(): AbandonHandlers {
    return {
      'config.desired': (desired, reason) => this.#documents.abandon(desired, reason),
      'product.request': (request, reason) => this.#requests.abandon(request, reason),
    };
  }

  /** Says once more which requests this device takes. */
  announceAgain(): void {
    this.#announce({ always: true });
  }

  /** @throws FlotillaError when the socket can't be had */
  async start(): Promise<void> {
    const { config, schemas, logger, link } = this.#option;
    const { byType, faults } = schemas.current;
    for (const fault of faults) logger.error(fault, 'a schema of the product can not be used');
    this.#announce();
    this.#server = await listenAt(config.socket, (socket) => this.#welcome(socket));
    this.#requests.dispatch();
    // Not within the link's own turn: these append to the log that it is about to read.
    this.#unsubscribe = link.onChange(() => void setImmediate(() => this.#turn()));
    logger.info({ socket: config.socket, schemas: byType.size }, 'the door is open');
  }

  /** What was taken is written and answered; then every program is sent away. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#unsubscribe?.();
    this.#stopped = true;
    this.#watch.stop();
    this.#requests.stop();
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

  /** Why the machine is not to be restarted now: a program that will not let go says more than one that soon will. */
  rebootHold(): { reason: string; defer: boolean } | undefined {
    const holds = [...this.#rebootHolds.values()];
    return holds.find(({ defer }) => !defer) ?? holds[0];
  }

  /** An update has changed. */
  tellUpdate(): void {
    this.#updates.tell();
    this.#watch.poke();
  }

  status(): DoorStatus {
    const { agentVersion, link, schemas, log } = this.#option;
    const { byType, faults } = schemas.current;
    const { state, sinceMs, reason } = link.status();
    return {
      door: 1,
      agentVersion,
      ...this.#option.describe?.(),
      link: { state, sinceMs, ...(reason === undefined ? {} : { reason }) },
      lanes: log.state().lanes.map((each, lane) => ({ lane, ...each })),
      schemas: [...byType.values()].map(({ type, fingerprint }) => ({
        type,
        fingerprint: fingerprint.toString(16).padStart(16, '0'),
      })),
      schemaFaults: [...faults],
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

    'config.list': () => this.#documents.list(),
    'config.get': ({ name }) => this.#documents.get(name),
    'config.watch': ({ id, names }, from) => {
      this.#documents.watch(from, id, names);
      return {};
    },
    'config.applied': ({ name, version, ...given }) => this.#documents.applied(name, version, checked(given)),
    'config.rejected': ({ name, version, reason }) => this.#documents.rejected(name, version, reason),
    'config.change': ({ name, document }) => this.#documents.change(name, checked({ document }).document),

    'requests.accept': ({ id, types, max }, from) => {
      const announced = this.#announcement.add(types);
      this.#requests.take(from, id, { types, ...(max === undefined ? {} : { max }) });
      return { types: announced };
    },
    'requests.withdraw': ({ types }) => ({ types: this.#announcement.remove(types) }),
    'requests.done': ({ requestId, ...detail }) => {
      this.#requests.answer(requestId, 'done', checked(detail));
      return {};
    },
    'requests.failed': ({ requestId, ...detail }) => {
      this.#requests.answer(requestId, 'failed', checked(detail));
      return {};
    },
    'reboot.hold': ({ reason, defer = false }, from) => {
      this.#rebootHolds.set(from, { reason, defer });
      this.#option.onRebootHold();
      return {};
    },
    'reboot.release': (_, from) => {
      this.#rebootHolds.delete(from);
      this.#option.onRebootHold();
      return {};
    },
    'update.status': () => this.#updates.status(),
    'update.watch': ({ id }, from) => this.#updates.watch(from, id),
    'update.history': ({ limit }) => ({ updates: this.#updates.history(limit) }),
    'update.install': async ({ path }) => ({ update: await this.#updates.install(path) }),
    'update.receipts': () => ({ receipts: this.#updates.receipts() }),
    'update.approve': () => ({ update: this.#updates.approve() }),
    'update.reject': ({ reason }) => ({ update: this.#updates.reject(reason) }),
    'update.defer': ({ forSeconds, reason }) => this.#updates.defer(forSeconds, reason),
    'update.resume': () => {
      this.#updates.resume();
      return {};
    },
    'health.report': ({ ok, reason }) => {
      this.#updates.report(ok, reason);
      return {};
    },
    'time.reset': async ({ reset }) => {
      await this.#option.onTimeReset(reset);
      return {};
    },
    'bundle.allow': ({ bundleUuid }) => ({ wasReverted: this.#option.onAllowBundle(bundleUuid) }),
  };

  #row(event: Parameters<typeof eventRow>[0], n?: number): LaneRow {
    const { config, schemas, clock } = this.#option;
    try {
      return eventRow(event, { types: config.types, schemas: schemas.current, nowMs: clock.nowMs() });
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
      budget: this.#budget,
      read: this.#read,
      answer: (shape, request, from) => this.#answer(shape, request, from),
      onClose: (gone) => this.#forget(gone),
      onReady: () => this.#requests.dispatch(),
      onFault: (error) => this.#fault(error),
    });
    this.#connections.add(connection);
  }

  #answer<S extends RequestShape>(shape: S, request: DoorRequest, from: DoorConnection): object | Promise<object> {
    const verb = this.#verbs[shape] as (request: DoorRequest, from: DoorConnection) => object | Promise<object>;
    try {
      return verb(request, from);
    } catch (error) {
      throw logRefusal(error) ?? error;
    }
  }

  /** The link has another state: perhaps another coordinator, and perhaps the time is known now. */
  #turn(): void {
    if (this.#stopped) return;
    this.#watch.poke();
    this.#announce();
    this.#requests.dispatch();
  }

  #announce(option: { always?: boolean } = {}): void {
    try {
      this.#announcement.announce(option);
    } catch (error) {
      // A full log: said again at the next change of the link.
      this.#option.logger.error({ err: error }, 'what this device takes could not be announced');
    }
  }

  /** A broken database ends the agent, after the program was told; anything else is logged. */
  #fault(error: unknown): void {
    this.#option.logger.error({ err: error }, 'a request at the door failed');
    if (isDatabaseError(error)) setImmediate(() => this.#option.onFatal(error));
  }

  #forget(connection: DoorConnection): void {
    this.#connections.delete(connection);
    this.#watch.remove(connection);
    this.#documents.forget(connection);
    this.#requests.forget(connection);
    this.#updates.forget(connection);
    if (this.#rebootHolds.delete(connection)) this.#option.onRebootHold();
  }
}

/** The same, after its depth was looked at. */
function checked<T extends object>(given: T): T {
  for (const value of Object.values(given)) refuseDeep(value);
  return given;
}
