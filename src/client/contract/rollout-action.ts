import { Type, type Static } from 'typebox';
import { ConfigNameSchema } from '../../protocol/event.ts';
import { JobActionSchema } from '../../protocol/job-action.ts';
import { formatAction } from './job-action.ts';

const exact = { additionalProperties: false } as const;
const kind = <Kind extends string>(name: Kind) => Type.Literal(name);

/** How long one device may take, once it has begun; what is left out is as for jobs. */
const timeoutSeconds = Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 31_536_000 }));

/** What a rollout does to each device where it brings no release. */
export const RolloutActionSchema = Type.Union([
  /** A new key and a certificate for it. */
  Type.Object({ kind: kind('certificate') }, exact),
  /** Another version of the agent itself; the release is one of the product flotilla-agent. */
  Type.Object({ kind: kind('agent-update'), release: Type.String({ minLength: 1, maxLength: 256 }) }, exact),
  /** A document of settings. */
  Type.Object({ kind: kind('config'), name: ConfigNameSchema, document: Type.Unknown(), timeoutSeconds }, exact),
  /** What a job can do. */
  Type.Object({ kind: kind('job'), job: JobActionSchema, timeoutSeconds }, exact),
]);
export type RolloutAction = Static<typeof RolloutActionSchema>;

/** Of an action that brings no release: what shows that a device has done it. */
export const StepProofSchema = Type.Union([
  Type.Object({
    kind: kind('certificate'),
    /** The one that the device has come in with, and the one that it had before. */
    serial: Type.String(),
    replaces: Type.Optional(Type.String()),
    issuedAtMs: Type.Number(),
    connectedAtMs: Type.Number(),
  }),
  Type.Object({
    kind: kind('agent-update'),
    /** In the device's own history: what has shown that the new agent works. */
    updateId: Type.String(),
    version: Type.String(),
  }),
  Type.Object({
    kind: kind('job'),
    /** Where the output is. */
    jobId: Type.String(),
    exitCode: Type.Optional(Type.Integer()),
  }),
]);
export type StepProof = Static<typeof StepProofSchema>;

/** In a few words, for a person: the release, or what is done instead. */
export function nameRollout({ release, action }: { release?: string; action?: RolloutAction }): string {
  switch (action?.kind) {
    case undefined:
      return release ?? 'nothing';
    case 'certificate':
      return 'new certificates';
    case 'agent-update':
      return `agent ${action.release}`;
    case 'config':
      return `settings ${action.name}`;
    case 'job':
      return formatAction(action.job);
  }
}
