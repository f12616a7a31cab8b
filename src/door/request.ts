/**
 * What a program asks the agent, one JSON object a line: `{"id": …, "verb": …}` and the fields of the verb. The id is
 * the program's own; every answer carries it. A field that the verb does not have is refused: a misspelt one that were
 * left out in silence would be worse.
 */
import { Type, type Static } from 'typebox';
import { maxDeferSeconds, maxDocuments, maxRequestTypes, maxRows, maxUpdates } from './limit.ts';

const closed = { additionalProperties: false };
export const IdSchema = Type.Union([
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  Type.String({ maxLength: 64 }),
]);
export type Id = Static<typeof IdSchema>;

const text = () => Type.String();
/** As the coordinator takes it: a name that it refused would be a dead letter, and no error here. */
const name = () => Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$' });
const reason = () => Type.String({ minLength: 1, maxLength: 256 });
const requestType = () => Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_.-]{0,99}$' });

/** Either `value`, or `base64`: the payload's own bytes, JSON without a `schema`, else Avro of that fingerprint. */
const rowFields = {
  type: text(),
  key: Type.Optional(text()),
  value: Type.Optional(Type.Unknown()),
  base64: Type.Optional(text()),
  schema: Type.Optional(Type.String({ pattern: '^[0-9a-f]{16}$' })),
  /** Milliseconds since 1970; the time of the agent when left out. */
  timestampMs: Type.Optional(Type.Number()),
};
export const NewEventSchema = Type.Object(rowFields, closed);
export type NewEvent = Static<typeof NewEventSchema>;

/** By verb; `publish` takes one row, or several by `rows`: all of them or none. */
export const requestSchemas = {
  publish: Type.Object({ id: IdSchema, verb: Type.Literal('publish'), ...rowFields }, closed),
  'publish rows': Type.Object(
    {
      id: IdSchema,
      verb: Type.Literal('publish'),
      rows: Type.Array(NewEventSchema, { minItems: 1, maxItems: maxRows }),
    },
    closed,
  ),
  status: Type.Object({ id: IdSchema, verb: Type.Literal('status') }, closed),
  /** The status now, and again whenever it has changed. */
  watch: Type.Object({ id: IdSchema, verb: Type.Literal('watch') }, closed),

  /** Names and states of the documents; `config.get` has the document itself. */
  'config.list': Type.Object({ id: IdSchema, verb: Type.Literal('config.list') }, closed),
  'config.get': Type.Object({ id: IdSchema, verb: Type.Literal('config.get'), name: name() }, closed),
  /** What the operator wants of these documents, or of all: now as far as it is undecided, later as it comes. */
  'config.watch': Type.Object(
    {
      id: IdSchema,
      verb: Type.Literal('config.watch'),
      names: Type.Optional(Type.Array(name(), { maxItems: maxDocuments })),
    },
    closed,
  ),
  /** The product runs with that version now; `document` if it took it up in another form. */
  'config.applied': Type.Object(
    {
      id: IdSchema,
      verb: Type.Literal('config.applied'),
      name: name(),
      version: Type.Integer({ minimum: 1 }),
      document: Type.Optional(Type.Unknown()),
    },
    closed,
  ),
  'config.rejected': Type.Object(
    {
      id: IdSchema,
      verb: Type.Literal('config.rejected'),
      name: name(),
      version: Type.Integer({ minimum: 1 }),
      reason: text(),
    },
    closed,
  ),
  /** The document was changed on the device itself. */
  'config.change': Type.Object(
    { id: IdSchema, verb: Type.Literal('config.change'), name: name(), document: Type.Unknown() },
    closed,
  ),

  /** This program takes requests of these types, at most `max` (1) at a time; each follows as a row. */
  'requests.accept': Type.Object(
    {
      id: IdSchema,
      verb: Type.Literal('requests.accept'),
      types: Type.Array(requestType(), { maxItems: maxRequestTypes }),
      max: Type.Optional(Type.Integer({ minimum: 1, maximum: 64 })),
    },
    closed,
  ),
  /** No program of this device takes these any more; the coordinator stops sending them. */
  'requests.withdraw': Type.Object(
    {
      id: IdSchema,
      verb: Type.Literal('requests.withdraw'),
      types: Type.Array(requestType(), { maxItems: maxRequestTypes }),
    },
    closed,
  ),
  'requests.done': Type.Object(
    {
      id: IdSchema,
      verb: Type.Literal('requests.done'),
      requestId: text(),
      value: Type.Optional(Type.Unknown()),
    },
    closed,
  ),
  'requests.failed': Type.Object(
    {
      id: IdSchema,
      verb: Type.Literal('requests.failed'),
      requestId: text(),
      reason: text(),
      value: Type.Optional(Type.Unknown()),
    },
    closed,
  ),
  /**
   * While this program is connected the machine is not restarted by a job, nor, within the owner's limit, by an update;
   * `defer`: it will let go soon, and a job may wait for that.
   */
  'reboot.hold': Type.Object(
    {
      id: IdSchema,
      verb: Type.Literal('reboot.hold'),
      reason: Type.String({ minLength: 1, maxLength: 128 }),
      defer: Type.Optional(Type.Boolean()),
    },
    closed,
  ),
  'reboot.release': Type.Object({ id: IdSchema, verb: Type.Literal('reboot.release') }, closed),

  /** The update under way, else the last one that ended, and whether updates are put off. */
  'update.status': Type.Object({ id: IdSchema, verb: Type.Literal('update.status') }, closed),
  /** The same, and again whenever it has changed. */
  'update.watch': Type.Object({ id: IdSchema, verb: Type.Literal('update.watch') }, closed),
  /** With their evidence, the newest first. */
  'update.history': Type.Object(
    {
      id: IdSchema,
      verb: Type.Literal('update.history'),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: maxUpdates })),
    },
    closed,
  ),
  /** A bundle that was brought to the device; the path is as the agent sees it. */
  'update.install': Type.Object(
    { id: IdSchema, verb: Type.Literal('update.install'), path: Type.String({ minLength: 1, maxLength: 4_096 }) },
    closed,
  ),
  /** Signed by the device: how updates from files have ended, for a coordinator that is out of reach. */
  'update.receipts': Type.Object({ id: IdSchema, verb: Type.Literal('update.receipts') }, closed),
  /** The update that waits for it may be installed. */
  'update.approve': Type.Object({ id: IdSchema, verb: Type.Literal('update.approve') }, closed),
  'update.reject': Type.Object({ id: IdSchema, verb: Type.Literal('update.reject'), reason: reason() }, closed),
  /** No update takes its next step before then, as far as the owner and the rollout allow; the answer tells how far. */
  'update.defer': Type.Object(
    {
      id: IdSchema,
      verb: Type.Literal('update.defer'),
      forSeconds: Type.Number({ exclusiveMinimum: 0, maximum: maxDeferSeconds }),
      reason: reason(),
    },
    closed,
  ),
  'update.resume': Type.Object({ id: IdSchema, verb: Type.Literal('update.resume') }, closed),
  /** How the product is, as it sees itself; of this boot alone, and the last word counts. */
  'health.report': Type.Object(
    {
      id: IdSchema,
      verb: Type.Literal('health.report'),
      ok: Type.Boolean(),
      reason: Type.Optional(reason()),
    },
    closed,
  ),
  /** An order of the fleet's root to forget a wrong time, as `ca sign-time-reset` has written it. */
  'time.reset': Type.Object(
    {
      id: IdSchema,
      verb: Type.Literal('time.reset'),
      reset: Type.Object(
        {
          fleetId: text(),
          deviceId: text(),
          timeMs: Type.Integer({ minimum: 0 }),
          expiresAtMs: Type.Integer({ minimum: 0 }),
          signature: text(),
        },
        closed,
      ),
    },
    closed,
  ),
  /** Somebody at the device lets it take a bundle again that it went back from. */
  'bundle.allow': Type.Object(
    { id: IdSchema, verb: Type.Literal('bundle.allow'), bundleUuid: Type.String({ maxLength: 36 }) },
    closed,
  ),
} as const;
export type RequestShape = keyof typeof requestSchemas;
export type RequestOf<Shape extends RequestShape> = Static<(typeof requestSchemas)[Shape]>;
export type DoorRequest = { [Shape in RequestShape]: RequestOf<Shape> }[RequestShape];
