/**
 * What a program asks the agent, one JSON object a line: `{"id": …, "verb": …}` and the fields of the verb. The id is
 * the program's own; every answer carries it. A field that the verb does not have is refused: a misspelt one that were
 * left out in silence would be worse.
 */
import { Type, type Static } from 'typebox';
import { maxRows } from './limit.ts';

const closed = { additionalProperties: false };
export const IdSchema = Type.Union([
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  Type.String({ maxLength: 64 }),
]);
export type Id = Static<typeof IdSchema>;

const text = () => Type.String();

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
} as const;
export type RequestShape = keyof typeof requestSchemas;
export type RequestOf<Shape extends RequestShape> = Static<(typeof requestSchemas)[Shape]>;
export type DoorRequest = { [Shape in RequestShape]: RequestOf<Shape> }[RequestShape];
