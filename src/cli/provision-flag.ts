/** What the commands that go over ssh have in common: which hosts, and how they let us in. */
import { Flags } from '@oclif/core';

export const sshFlags = {
  manifest: Flags.file({ description: 'the hosts, as CSV or YAML', helpValue: 'FILE', helpGroup: 'HOSTS' }),
  id: Flags.string({
    description: 'device id of the one host; its name by default',
    helpValue: 'ID',
    helpGroup: 'HOSTS',
  }),
  user: Flags.string({
    char: 'l',
    description: 'user, where the host does not say',
    default: 'root',
    helpGroup: 'SSH',
  }),
  port: Flags.integer({
    char: 'p',
    description: 'port, where the host does not say',
    min: 1,
    max: 65_535,
    helpGroup: 'SSH',
  }),
  identity: Flags.string({ char: 'i', description: 'private key file', helpValue: 'FILE', helpGroup: 'SSH' }),
  'identity-passphrase-file': Flags.string({
    description: 'passphrase of private keys (0600); asked for on a terminal when one is needed',
    helpValue: 'FILE',
    helpGroup: 'SSH',
  }),
  'password-file': Flags.string({ description: 'password (0600)', helpValue: 'FILE', helpGroup: 'SSH' }),
  'ask-password': Flags.boolean({
    description: 'ask for the password',
    exclusive: ['password-file'],
    helpGroup: 'SSH',
  }),
  'sudo-password-file': Flags.string({
    description: 'password for sudo (0600); the login password when none is given',
    helpValue: 'FILE',
    helpGroup: 'SSH',
  }),
  jump: Flags.string({ char: 'J', description: 'go through this host', helpValue: 'USER@HOST:PORT', helpGroup: 'SSH' }),
  'known-hosts': Flags.string({
    description: 'file with known host keys besides ~/.ssh/known_hosts; new ones are written there',
    helpValue: 'FILE',
    helpGroup: 'SSH',
  }),
  'accept-new-host-keys': Flags.boolean({
    description: 'trust the key of a host that nobody knows, and write it down; a changed key is refused all the same',
    helpGroup: 'SSH',
  }),
  'ask-host-keys': Flags.boolean({
    description: 'show the key of a host that nobody knows, and ask whether to trust it',
    exclusive: ['accept-new-host-keys', 'json'],
    helpGroup: 'SSH',
  }),
  parallel: Flags.integer({ description: 'hosts at a time', default: 8, min: 1, max: 64 }),
  reconnect: Flags.string({
    description: 'how long a host whose line broke is tried again',
    default: '2m',
    helpValue: 'TIME',
  }),
  report: Flags.file({ description: 'write what came of each host: *.csv or *.json', helpValue: 'FILE' }),
};

export interface SshFlagValues {
  manifest?: string | undefined;
  id?: string | undefined;
  user: string;
  port?: number | undefined;
  identity?: string | undefined;
  'identity-passphrase-file'?: string | undefined;
  'password-file'?: string | undefined;
  'ask-password': boolean;
  'sudo-password-file'?: string | undefined;
  jump?: string | undefined;
  'known-hosts'?: string | undefined;
  'accept-new-host-keys': boolean;
  'ask-host-keys': boolean;
  parallel: number;
  reconnect: string;
  report?: string | undefined;
}
