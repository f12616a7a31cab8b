import { Type, type Static } from 'typebox';

/** Of an update of the agent's own program, by the device's last word; `expired`: the device never had the offer. */
export const agentUpdateStates = [
  'offered',
  'downloading',
  'installing',
  'testing',
  'committed',
  'rolled-back',
  'failed',
  'rejected',
  'cancelled',
  'expired',
] as const;

export const AgentUpdateSchema = Type.Object({
  updateId: Type.String(),
  release: Type.String(),
  version: Type.String(),
  bundleUuid: Type.String(),
  state: Type.Enum(agentUpdateStates),
  atMs: Type.Number(),
  expiresAtMs: Type.Number(),
  reason: Type.Optional(Type.Object({ code: Type.String(), message: Type.String() })),
});
export type AgentUpdate = Static<typeof AgentUpdateSchema>;

/** One order to update agents, on each device that was sent no newer one since. */
export const AgentUpdateProgressSchema = Type.Object({
  updateId: Type.String(),
  devices: Type.Array(
    Type.Object({
      deviceId: Type.String(),
      state: Type.Enum(agentUpdateStates),
      reason: Type.Optional(Type.Object({ code: Type.String(), message: Type.String() })),
    }),
  ),
});
export type AgentUpdateProgress = Static<typeof AgentUpdateProgressSchema>;

export const UpdateAgentsSchema = Type.Object({
  selector: Type.String({ minLength: 1, maxLength: 10_240 }),
  /** Id of a release of the product flotilla-agent. */
  release: Type.String({ minLength: 1, maxLength: 256 }),
  /** How long a device may take to come for it. */
  expiresInSeconds: Type.Optional(Type.Integer({ minimum: 60, maximum: 31_536_000 })),
  max: Type.Optional(Type.Integer({ minimum: 1 })),
  expect: Type.Optional(Type.Integer({ minimum: 0 })),
  dryRun: Type.Optional(Type.Boolean()),
});
export type UpdateAgents = Static<typeof UpdateAgentsSchema>;

/** What came of the order, by device. */
export const agentOrderStates = [
  'sent',
  'waiting', // until the device comes
  'reverted', // it went back from this very bundle, and nobody has allowed it since
  'busy', // another update of its agent is under way
  'current', // it has committed this bundle, and nothing says that it runs another one
  'too-old', // its agent has not announced that it takes another
] as const;

export const AgentsUpdatedSchema = Type.Object({
  /** Absent: nothing was sent. */
  updateId: Type.Optional(Type.String()),
  release: Type.String(),
  version: Type.String(),
  bundleUuid: Type.String(),
  dryRun: Type.Boolean(),
  devices: Type.Array(Type.Object({ deviceId: Type.String(), state: Type.Enum(agentOrderStates) })),
});
export type AgentsUpdated = Static<typeof AgentsUpdatedSchema>;
