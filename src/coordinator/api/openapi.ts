/** The OpenAPI 3.1 document of the routes: made from the schemas that requests are checked with. */
import type { TObject, TSchema } from 'typebox';
import {
  CertificateSchema,
  CredentialSchema,
  DeviceSchema,
  JobSchema,
  OperatorSchema,
  ReleaseSchema,
  RolloutSchema,
} from '../../client/contract/index.ts';
import { rights, rolesWith } from '../operator/right.ts';
import type { Route } from './route.ts';

/** Schemas that many routes have, by the name that a generated client gives them. */
const named: Record<string, TSchema> = {
  Certificate: CertificateSchema,
  Credential: CredentialSchema,
  Device: DeviceSchema,
  Job: JobSchema,
  Operator: OperatorSchema,
  Release: ReleaseSchema,
  Rollout: RolloutSchema,
};

const text = { type: 'string' };
/** What is in every reply that is no success; see src/error.ts. */
const errorSchema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'fault', 'message'],
      properties: {
        code: { ...text, description: 'stable, for programs' },
        fault: { ...text, description: 'who must act; decides the exit code of the command line' },
        message: text,
        seen: text,
        expected: text,
        suggestion: text,
      },
    },
  },
};

/** @param version of the product, which is the version of its API */
export function describeApi(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    (paths[path] ??= {})[route.method.toLowerCase()] = describeRoute(route);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Flotilla coordinator',
      version,
      description:
        'Over a unix socket for the user who runs the coordinator, and over TLS 1.3 for operators elsewhere: by ' +
        'certificate, or by token on a port of its own. Each operation names the roles that may use it.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [
      { url: 'https://{host}:{port}', variables: { host: { default: 'localhost' }, port: { default: '7444' } } },
    ],
    security: [{ certificate: [] }, { token: [] }],
    'x-flotilla-rights': rights,
    paths,
    components: {
      securitySchemes: { certificate: { type: 'mutualTLS' }, token: { type: 'http', scheme: 'bearer' } },
      schemas: {
        ...Object.fromEntries(Object.entries(named).map(([name, schema]) => [name, inner(schema)])),
        Error: errorSchema,
      },
      responses: {
        Error: {
          description: 'The request was refused, or failed. 429 has a Retry-After header.',
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
        },
      },
    },
  };
}

function describeRoute({ method, path, right, summary, params, query, body, reply, answer }: Route): object {
  const parameters = [...parametersOf(params, 'path'), ...parametersOf(query, 'query')];
  return {
    operationId: operationId(method, path),
    summary,
    tags: [path.split('/')[2]!.replace(/\.json$/, '')],
    'x-flotilla-right': right,
    'x-flotilla-role': rolesWith(right),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...requestBody(answer.kind, body),
    responses: {
      '200': { description: 'OK', content: contentOf(answer, reply) },
      default: { $ref: '#/components/responses/Error' },
    },
  };
}

function requestBody(kind: Route['answer']['kind'], body: TSchema | undefined): object {
  if (kind === 'upload') return { requestBody: { required: true, content: { 'application/octet-stream': {} } } };
  if (body === undefined) return {};
  return { requestBody: { required: true, content: { 'application/json': { schema: refer(body) } } } };
}

function contentOf(answer: Route['answer'], reply: TSchema | undefined): object {
  const schema = reply === undefined ? {} : { schema: refer(reply) };
  if (answer.kind === 'bytes') return { [answer.contentType]: {} };
  if (answer.kind === 'rows') return { 'application/x-ndjson': schema };
  return { 'application/json': schema };
}

function parametersOf({ properties, required }: TObject, place: 'path' | 'query'): object[] {
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: place,
    required: place === 'path' || (required as string[] | undefined)?.includes(name) === true,
    schema: refer(schema),
  }));
}

/** `POST /v1/jobs/:id/cancel` → `postJobsIdCancel` */
function operationId(method: string, path: string): string {
  const words = path
    .split('/')
    .slice(2)
    .map((word) => word.replace(':', ''));
  const parts = words.flatMap((word) => word.split(/\W/)).map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  return `${method.toLowerCase()}${parts.join('')}`;
}

/** The schema as plain JSON, with a reference wherever it is, or holds, one that has a name. */
function refer(schema: unknown): unknown {
  const name = Object.keys(named).find((each) => named[each] === schema);
  return name === undefined ? inner(schema) : { $ref: `#/components/schemas/${name}` };
}

function inner(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(refer);
  if (typeof schema !== 'object' || schema === null) return schema;
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, refer(value)]));
}
