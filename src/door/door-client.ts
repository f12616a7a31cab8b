import { connect, type Socket } from 'node:net';
import { FlotillaError, systemErrorCode } from '../error.ts';
import type {
  Answer,
  DesiredDocument,
  DeviceDocument,
  DeviceUpdate,
  DocumentList,
  DoorStatus,
  OkOf,
  Published,
  Pushed,
  RequestRow,
  UpdateRecord,
  UpdateStatus,
} from './answer.ts';
import { DoorError } from './door-error.ts';
import { LineSplitter } from './line-splitter.ts';
import { maxLineBytes } from './limit.ts';
import type { NewEvent, RequestOf, RequestShape } from './request.ts';
import { RowStream } from './row-stream.ts';

export interface DoorOption {
  /** Path of the agent's socket: `events.socket` of its agent.yaml. */
  socket: string;
  /** How long the agent may take to answer. Default 10 s. */
  timeoutMs?: number;
}

export interface PublishOption {
  /** How long to try again while the agent says `busy` or `eventlog-full`. Default 0: the error is thrown at once. */
  patienceMs?: number;
}

type FieldsOf<Shape extends RequestShape> = Omit<RequestOf<Shape>, 'id' | 'verb'>;

interface Pending {
  resolve(ok: unknown): void;
  reject(error: FlotillaError): void;
  timer: NodeJS.Timeout;
}

const defaultTimeoutMs = 10_000;
/** A configuration document and what the device has of it. */
const maxAnswerBytes = 2 * maxLineBytes;

/** Connects to the agent of this device. @throws FlotillaError `agent-unreachable` */
export function openDoor({ socket: path, timeoutMs = defaultTimeoutMs }: DoorOption): Promise<DoorClient> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const refuse = (cause: unknown) => {
      socket.destroy();
      reject(unreachable(path, cause));
    };
    const timer = setTimeout(() => refuse(new Error('no answer')), timeoutMs);
    socket.once('error', (error) => {
      clearTimeout(timer);
      refuse(error);
    });
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      resolve(new DoorClient(socket, path, timeoutMs));
    });
  });
}

/**
 * One connection to the agent. Every method throws the agent's own DoorError, or a FlotillaError of the fault
 * `undecided` when no answer came: then a publish may be on disk or not.
 */
export class DoorClient implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #path: string;
  readonly #timeoutMs: number;
  readonly #lines = new LineSplitter(maxAnswerBytes);
  readonly #pending = new Map<number, Pending>();
  readonly #streams = new Map<number, RowStream<unknown>>();
  readonly #closed = Promise.withResolvers<void>();
  #lastId = 0;
  #over: FlotillaError | undefined;
  /** By us: then the loops that watch just end. */
  #closing = false;

  constructor(socket: Socket, path: string, timeoutMs: number) {
    this.#socket = socket;
    this.#path = path;
    this.#timeoutMs = timeoutMs;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', () => undefined); // 'close' follows
    socket.on('close', () => {
      this.#end(new FlotillaError('undecided', 'door-lost', 'the agent has closed the connection', { seen: path }));
      this.#closed.resolve();
    });
  }

  /** Resolves once the event is on the device's disk; from then on it reaches the coordinator exactly once. */
  publish(event: NewEvent, option: PublishOption = {}): Promise<Published> {
    return this.#patiently(option, () => this.#call('publish', event));
  }

  /** All of them or none, in this order. */
  async publishAll(events: readonly NewEvent[], option: PublishOption = {}): Promise<Published[]> {
    return (await this.#patiently(option, () => this.#call('publish rows', { rows: [...events] }))).rows;
  }

  status(): Promise<DoorStatus> {
    return this.#call('status', {});
  }

  /** The status as it is, then whenever it has changed; leave the loop to stop. */
  async *watchStatus(): AsyncGenerator<DoorStatus> {
    const { ok, rows } = await this.#watch<'watch', DoorStatus>('watch', {});
    yield ok;
    yield* rows;
  }

  /** Hands the agent an order of the root to forget a wrong time. */
  async resetTime(reset: RequestOf<'time.reset'>['reset']): Promise<void> {
    await this.#call('time.reset', { reset });
  }

  /** Lets the device take a bundle again that it went back from; false when it had not. */
  async allowBundle(bundleUuid: string): Promise<boolean> {
    return (await this.#call('bundle.allow', { bundleUuid })).wasReverted;
  }

  /**
   * No job restarts the machine until `releaseReboot`, or until this program is gone, and no update within the owner's
   * limit. `defer`: it will be soon.
   */
  async holdReboot(reason: string, { defer = false } = {}): Promise<void> {
    await this.#call('reboot.hold', { reason, defer });
  }

  async releaseReboot(): Promise<void> {
    await this.#call('reboot.release', {});
  }

  /** The update under way, else the last one that ended, and whether updates are put off. */
  updateStatus(): Promise<UpdateStatus> {
    return this.#call('update.status', {});
  }

  /** The same as it is, then whenever it has changed; leave the loop to stop. */
  async *watchUpdates(): AsyncGenerator<UpdateStatus> {
    const { ok, rows } = await this.#watch<'update.watch', UpdateStatus>('update.watch', {});
    yield ok;
    yield* rows;
  }

  /** With their evidence, the newest first. */
  async updateHistory(option: { limit?: number } = {}): Promise<UpdateRecord[]> {
    return (await this.#call('update.history', option)).updates;
  }

  /** Installs a bundle that was brought to the device; the path is as the agent sees it. */
  async installUpdate(path: string): Promise<DeviceUpdate> {
    return (await this.#call('update.install', { path })).update;
  }

  /** Signed by the device: how updates from files have ended. */
  async updateReceipts(): Promise<OkOf<'update.receipts'>['receipts']> {
    return (await this.#call('update.receipts', {})).receipts;
  }

  /** The update that waits for it may be installed. */
  async approveUpdate(): Promise<DeviceUpdate> {
    return (await this.#call('update.approve', {})).update;
  }

  /** This device does not take the update; until it is being installed. */
  async rejectUpdate(reason: string): Promise<DeviceUpdate> {
    return (await this.#call('update.reject', { reason })).update;
  }

  /** No update takes its next step so long. Answers how long that was granted: owner and rollout set limits. */
  async deferUpdate(deferral: { forSeconds: number; reason: string }): Promise<{ untilMs: number; reason: string }> {
    return (await this.#call('update.defer', deferral)).deferral;
  }

  async resumeUpdate(): Promise<void> {
    await this.#call('update.resume', {});
  }

  /** How the product is: an update that is being tested waits for this where its owner wants it to. */
  async reportHealth(ok: boolean, reason?: string): Promise<void> {
    await this.#call('health.report', { ok, ...(reason === undefined ? {} : { reason }) });
  }

  async documents(): Promise<DocumentList['documents']> {
    return (await this.#call('config.list', {})).documents;
  }

  document(name: string): Promise<DeviceDocument> {
    return this.#call('config.get', { name });
  }

  /** What the operator wants of these documents, or of all. Decide on each by `applied` or `rejected`. */
  async *watchDocuments(names?: readonly string[]): AsyncGenerator<DesiredDocument> {
    const fields = names === undefined ? {} : { names: [...names] };
    yield* (await this.#watch<'config.watch', DesiredDocument>('config.watch', fields)).rows;
  }

  /** The product runs with that version now; `taken.document` if it took it up in another form. */
  applied(name: string, version: number, taken: { document?: unknown } = {}): Promise<{ revision: number }> {
    return this.#call('config.applied', { name, version, ...taken });
  }

  rejected(name: string, version: number, reason: string): Promise<{ revision: number }> {
    return this.#call('config.rejected', { name, version, reason });
  }

  /** The document was changed on the device itself. */
  change(name: string, document: unknown): Promise<{ revision: number }> {
    return this.#call('config.change', { name, document });
  }

  /** Requests of these types, at most `max` (1) that are not answered; answer each by `done` or `failed`. */
  async *acceptRequests(types: readonly string[], option: { max?: number } = {}): AsyncGenerator<RequestRow> {
    yield* (await this.#watch<'requests.accept', RequestRow>('requests.accept', { types: [...types], ...option })).rows;
  }

  /** No program of this device takes these any more. */
  async withdrawRequests(types: readonly string[]): Promise<void> {
    await this.#call('requests.withdraw', { types: [...types] });
  }

  async done(requestId: string, value?: unknown): Promise<void> {
    await this.#call('requests.done', { requestId, ...(value === undefined ? {} : { value }) });
  }

  async failed(requestId: string, reason: string, value?: unknown): Promise<void> {
    await this.#call('requests.failed', { requestId, reason, ...(value === undefined ? {} : { value }) });
  }

  /** Lets the answers that are under way come in, for as long as any may take, then closes. */
  async close(): Promise<void> {
    this.#closing = true;
    const timer = setTimeout(() => this.#socket.destroy(), this.#timeoutMs);
    if (this.#pending.size === 0) this.#socket.destroy();
    else this.#socket.end();
    await this.#closed.promise;
    clearTimeout(timer);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #patiently<T>({ patienceMs = 0 }: PublishOption, publish: () => Promise<T>): Promise<T> {
    const endMs = performance.now() + patienceMs;
    for (;;) {
      try {
        return await publish();
      } catch (error) {
        const waitMs = error instanceof DoorError ? error.retryAfterMs : undefined;
        if (waitMs === undefined || performance.now() + waitMs > endMs) throw error;
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  }

  async #watch<Shape extends RequestShape, Row>(
    shape: Shape,
    fields: FieldsOf<Shape>,
  ): Promise<{ ok: OkOf<Shape>; rows: AsyncIterable<Row> }> {
    const id = this.#lastId + 1;
    const rows = new RowStream<unknown>(() => this.#streams.delete(id));
    this.#streams.set(id, rows);
    try {
      return { ok: await this.#call(shape, fields), rows: rows as AsyncIterable<Row> };
    } catch (error) {
      this.#streams.delete(id);
      throw error;
    }
  }

  #call<Shape extends RequestShape>(shape: Shape, fields: FieldsOf<Shape>): Promise<OkOf<Shape>> {
    if (this.#over !== undefined) return Promise.reject(this.#over);
    this.#lastId += 1;
    const id = this.#lastId;
    const [verb] = shape.split(' ');
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(
          new FlotillaError('undecided', 'door-timeout', 'the agent did not answer in time', {
            seen: `nothing in ${this.#timeoutMs} ms on ${this.#path}`,
            suggestion: 'it may have been done or not: see flotilla agent status, and the log of the agent',
          }),
        );
      }, this.#timeoutMs);
      this.#pending.set(id, { resolve, reject, timer });
      this.#socket.write(`${JSON.stringify({ id, verb, ...fields })}\n`);
    });
  }

  #receive(chunk: Buffer): void {
    this.#lines.push(chunk);
    for (let line = this.#lines.next(); line !== undefined; line = this.#lines.next()) {
      if (line === 'too-long') return this.#fail('an answer that is too long');
      let answer: Answer | Pushed;
      try {
        answer = JSON.parse(Buffer.from(line).toString()) as Answer | Pushed;
      } catch {
        return this.#fail('an answer that is not JSON');
      }
      this.#take(answer);
    }
  }

  #take(answer: Answer | Pushed): void {
    // Not of one request: the agent is about to close the connection, and this is why.
    if (answer.id === null) return this.#end(DoorError.fromJSON((answer as Answer & { error: never }).error));
    const id = Number(answer.id);
    if ('row' in answer) return this.#streams.get(id)?.put(answer.row);
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    if ('ok' in answer) pending.resolve(answer.ok);
    else pending.reject(DoorError.fromJSON(answer.error));
  }

  #fail(seen: string): void {
    this.#end(
      new FlotillaError('ours', 'door-answer-malformed', 'the agent answered what this client can not read', { seen }),
    );
    this.#socket.destroy();
  }

  #end(error: FlotillaError): void {
    this.#over ??= error;
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(this.#over);
    }
    for (const stream of this.#streams.values()) stream.end(this.#closing ? undefined : this.#over);
    this.#pending.clear();
    this.#streams.clear();
  }
}

function unreachable(path: string, cause: unknown): FlotillaError {
  const code = systemErrorCode(cause);
  if (code === 'EACCES') {
    return new FlotillaError('forbidden', 'door-forbidden', 'you may not talk to the agent of this device', {
      seen: `no permission on ${path}`,
      suggestion: "run as the agent's user, or as a member of the socket's group",
      cause,
    });
  }
  return new FlotillaError('unreachable', 'agent-unreachable', 'the agent of this device does not answer', {
    seen: `${code ?? (cause as Error).message} on ${path}`,
    expected: 'a running agent',
    suggestion: 'flotilla agent run --config agent.yaml',
    cause,
  });
}
