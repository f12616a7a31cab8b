import { Type, type Static } from 'typebox';
import { ConfigNameSchema } from '../../protocol/event.ts';

export const ConfigRequestSchema = Type.Object({
  selector: Type.String({ minLength: 1, maxLength: 10_240 }),
  name: ConfigNameSchema,
  document: Type.Unknown(),
  /** Refuse above this many matched devices. */
  max: Type.Optional(Type.Integer({ minimum: 1 })),
  /** The operator typed this size; needed above the fleet share that asks for confirmation. */
  expect: Type.Optional(Type.Integer({ minimum: 0 })),
  /** Say what would become of each device; store and send nothing. */
  dryRun: Type.Optional(Type.Boolean()),
});
export type ConfigRequest = Static<typeof ConfigRequestSchema>;

export const ConfigResolveSchema = Type.Object({
  take: Type.Union([Type.Literal('desired'), Type.Literal('reported'), Type.Literal('document')]),
  /** With `document`. */
  document: Type.Optional(Type.Unknown()),
});
export type ConfigResolve = Static<typeof ConfigResolveSchema>;

/**
 * `local`: nothing was ever set here, the device told it. `pending`: not sent yet. `sent`: on its way or on the device,
 * without an answer. `applied`, `rejected`: what the device says of the newest desired version. `conflict`: both sides
 * changed the same places, nothing is sent until it is resolved.
 */
export const configStates = ['local', 'pending', 'sent', 'applied', 'rejected', 'conflict'] as const;
export type ConfigState = (typeof configStates)[number];

export interface ConfigSummary {
  name: string;
  state: ConfigState;
  /** Of `rejected`, and why a `pending` one waits. */
  reason?: string;
  /** Of the newest desired document. */
  version?: number;
  /** Of the device's newest document. */
  revision?: number;
}

export interface ConfigView extends ConfigSummary {
  deviceId: string;
  base?: unknown;
  desired?: {
    version: number;
    document: unknown;
    baseRevision: number;
    setAtMs: number;
    setBy: string;
    jobId?: string;
  };
  reported?: {
    revision: number;
    document?: unknown;
    desiredVersion: number;
    state: 'applied' | 'rejected' | 'local';
    reason?: string;
    atMs: number;
  };
  /** Where desired and reported differ, and where both sides changed the same. */
  differences: ConfigDifference[];
}

export interface ConfigDifference {
  /** RFC 6901: `/net/dns`; '' is the whole document. */
  path: string;
  /** Both sides changed it, differently. */
  conflict: boolean;
  base?: unknown;
  desired?: unknown;
  reported?: unknown;
}

/** What `set` has done on each device. */
export interface ConfigSetResult {
  deviceId: string;
  name: string;
  state: ConfigState;
  version: number;
  /** Places that the device had changed itself, and that stay as it has them. */
  kept: string[];
  /** Places that both sides changed: nothing is sent to this device. */
  conflicts: string[];
  reason?: string;
}
