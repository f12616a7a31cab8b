/**
 * A route as data: what it is, who may use it, what it takes and gives. The server, the OpenAPI document and the tests
 * are made from the same list (route-list.ts). A new route also stands, with its right, in the table of
 * test/unit/coordinator/right.test.ts: the decision is made twice, or not at all. One that changes something leaves a row
 * in the audit log, and has a case in test/integration/audit/route.test.ts.
 */
import type { Readable } from 'node:stream';
import { Type, type Static, type TObject, type TSchema } from 'typebox';
import type { Right } from '../operator/right.ts';
import type { ServiceContext } from '../service/context.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** What a request brought, checked against the route's schemas. */
export interface Asked {
  params: Record<string, unknown>;
  query: Record<string, unknown>;
  /** A `Readable` for uploads. */
  body: unknown;
}

interface RouteFacts {
  method: Method;
  /** `/v1/devices/:id` */
  path: string;
  /** What a caller needs; decided in ../operator/right.ts. */
  right: Right;
  /** One line, in the imperative. */
  summary: string;
  maxBodyBytes?: number;
}

export interface Route extends RouteFacts {
  params: TObject;
  query: TObject;
  /** Of a JSON body; none for GET, DELETE and uploads. */
  body?: TSchema;
  /** Of the document, or of one row; absent where the contract has no schema. */
  reply?: TSchema;
  answer: Answer;
}

/** How a route answers: a JSON document (`upload`: to a body of bytes), rows of NDJSON, or bytes. */
export type Answer =
  | { kind: 'document' | 'upload'; run(context: ServiceContext, asked: Asked): unknown }
  | { kind: 'rows'; run(context: ServiceContext, asked: Asked, signal: AbortSignal): Rows }
  | {
      kind: 'bytes';
      contentType: string;
      run(context: ServiceContext, asked: Asked): Uint8Array | Promise<Uint8Array>;
    };

export type Rows = AsyncGenerator | Promise<AsyncGenerator>;

interface Shapes<P extends TObject, Q extends TObject> extends RouteFacts {
  params?: P;
  query?: Q;
  reply?: TSchema;
}
interface Given<P extends TObject, Q extends TObject, B> {
  params: Static<P>;
  query: Static<Q>;
  body: B;
}

type None = ReturnType<typeof none>;
const none = () => Type.Object({});

/** Answers with one JSON document. */
export function route<P extends TObject = None, Q extends TObject = None, B extends TSchema = TSchema>(
  draft: Shapes<P, Q> & {
    body?: B;
    run(context: ServiceContext, asked: Given<P, Q, Static<B>>): unknown;
  },
): Route {
  const { run, ...facts } = draft;
  return complete(facts, { kind: 'document', run });
}

/** Answers with rows of NDJSON for as long as they come. */
export function rowsRoute<P extends TObject = None, Q extends TObject = None>(
  draft: Shapes<P, Q> & {
    run(context: ServiceContext, asked: Given<P, Q, undefined>, signal: AbortSignal): Rows;
  },
): Route {
  const { run, ...facts } = draft;
  return complete(facts, { kind: 'rows', run });
}

/** Takes a body of bytes (`application/octet-stream`) and answers with one JSON document. */
export function uploadRoute<P extends TObject = None, Q extends TObject = None>(
  draft: Shapes<P, Q> & {
    maxBodyBytes: number;
    run(context: ServiceContext, asked: Given<P, Q, Readable>): unknown;
  },
): Route {
  const { run, ...facts } = draft;
  return complete(facts, { kind: 'upload', run });
}

/** Answers with bytes of one content type. */
export function bytesRoute<P extends TObject = None, Q extends TObject = None>(
  draft: Shapes<P, Q> & {
    contentType: string;
    run(context: ServiceContext, asked: Given<P, Q, undefined>): Uint8Array | Promise<Uint8Array>;
  },
): Route {
  const { run, contentType, ...facts } = draft;
  return complete(facts, { kind: 'bytes', contentType, run });
}

function complete(
  draft: RouteFacts & { params?: TObject; query?: TObject; body?: TSchema; reply?: TSchema },
  answer: Answer,
): Route {
  return { ...draft, params: draft.params ?? none(), query: draft.query ?? none(), answer };
}
