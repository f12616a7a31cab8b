import { Flags } from '@oclif/core';

/** Which agent a command talks to, and how long it waits. */
export const doorFlags = {
  config: Flags.file({
    description: "the agent's file, for its events.socket; by default agent.yaml in this folder",
    helpValue: 'FILE',
    exclusive: ['socket'],
  }),
  socket: Flags.string({
    description: "the agent's socket itself; FLOTILLA_DOOR when both are left out",
    helpValue: 'PATH',
  }),
  timeout: Flags.string({ description: 'how long to wait for the agent', helpValue: 'DURATION', default: '10s' }),
};
