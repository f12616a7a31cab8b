/**
 * What a job does on a device. One form from the operator's request to the device's database: there, every `{{key}}` of
 * an argument is filled in. A kind that an agent does not know never reaches it: it comes with a new version of `job.run`.
 */
import { Type, type Static } from 'typebox';

const text = (maxLength: number, minLength = 0) => Type.String({ minLength, maxLength });
const kind = <Kind extends string>(name: Kind) => Type.Literal(name);
const Argument = text(65_536);

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
  /** Collects the grains again and tells them. */
  Type.Object({ kind: kind('refresh') }),
]);
export type JobAction = Static<typeof JobActionSchema>;
export type JobKind = JobAction['kind'];

export const jobKinds = ['ping', 'command', 'refresh'] as const satisfies readonly JobKind[];
