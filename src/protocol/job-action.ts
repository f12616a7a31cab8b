/**
 * What a job does on a device. One form from the operator's request to the device's database: there, every `{{key}}` of
 * an argument is filled in. A kind that an agent does not know never reaches it: it comes with a new version of `job.run`.
 */
import { Type, type Static } from 'typebox';
import { ConfigNameSchema } from './event.ts';

const text = (maxLength: number, minLength = 0) => Type.String({ minLength, maxLength });
const kind = <Kind extends string>(name: Kind) => Type.Literal(name);
const Argument = text(65_536);

/** Content that the device fetches as a blob, by its digest. */
export const ContentSchema = Type.Object({
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  sizeBytes: Type.Integer({ minimum: 0, maximum: 67_108_864 }),
});
export type Content = Static<typeof ContentSchema>;

/** On the device: absolute, so that no working directory decides. */
export const DevicePathSchema = Type.String({ pattern: '^/', minLength: 2, maxLength: 4_096 });

/** A program by its argument vector; with `shell` one string for `/bin/sh -c`. */
export const CommandActionSchema = Type.Object({
  kind: kind('command'),
  argv: Type.Array(Argument, { minItems: 1, maxItems: 1_024 }),
  shell: Type.Optional(Type.Boolean()),
});
export type CommandAction = Static<typeof CommandActionSchema>;

export const JobActionSchema = Type.Union([
  /** Answered by the agent itself, without a process. */
  Type.Object({ kind: kind('ping') }),
  CommandActionSchema,
  /** A file that is run with its arguments: by its `#!` line. */
  Type.Object({
    kind: kind('script'),
    name: text(128, 1), // for a person; the file is known by its digest
    content: ContentSchema,
    args: Type.Array(Argument, { maxItems: 1_023 }),
  }),
  /** Writes a file, whole or not at all. */
  Type.Object({
    kind: kind('put'),
    path: DevicePathSchema,
    content: ContentSchema,
    mode: Type.Optional(Type.String({ pattern: '^[0-7]{3,4}$' })), // absent: 644, or that of the file that it replaces
    owner: Type.Optional(Type.String({ pattern: '^[a-z_0-9][a-z0-9_.-]{0,31}(:[a-z_0-9][a-z0-9_.-]{0,31})?$' })),
  }),
  /** Reads a file; it comes as `flotilla.job-file`. */
  Type.Object({
    kind: kind('get'),
    path: DevicePathSchema,
    maxBytes: Type.Integer({ minimum: 0, maximum: 16_777_216 }),
  }),
  Type.Object({ kind: kind('restart'), service: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9@_.:-]{0,127}$' }) }),
  /** Succeeds when the machine has come back with another boot id. */
  Type.Object({ kind: kind('reboot') }),
  /** Collects the grains again and tells them. */
  Type.Object({ kind: kind('refresh') }),
]);
export type JobAction = Static<typeof JobActionSchema>;
export type JobKind = JobAction['kind'];

/** Sets a document of settings: no device is sent it as a job, it goes as `config.desired`, and its report is the end. */
export const ConfigActionSchema = Type.Object({
  kind: kind('config'),
  name: ConfigNameSchema,
  document: Type.Unknown(),
});
export type ConfigAction = Static<typeof ConfigActionSchema>;

/** What an operator may ask for. */
export const OperatorActionSchema = Type.Union([...JobActionSchema.anyOf, ConfigActionSchema]);
export type OperatorAction = JobAction | ConfigAction;

export const jobKinds = [
  'ping',
  'command',
  'script',
  'put',
  'get',
  'restart',
  'reboot',
  'refresh',
] as const satisfies readonly JobKind[];
export type ActionOf<Kind extends JobKind> = Extract<JobAction, { kind: Kind }>;

/** The bytes that a device must have before it can begin. */
export function contentOf(action: OperatorAction): Content | undefined {
  return 'content' in action ? action.content : undefined;
}
