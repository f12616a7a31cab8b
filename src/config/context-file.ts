/**
 * contexts.yaml of a person: coordinators elsewhere, each with who one is there. It says whom a command trusts and where
 * it goes, so it is refused when others may read or write it.
 */
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseDocument, stringify } from 'yaml';
import { FlotillaError } from '../error.ts';
import { readSecretFile } from '../pki/secret-file.ts';
import { isFleetId } from '../pki/profile.ts';
import { type Field, check, integer, mapOf, record, text } from './field.ts';
import { parseConfig } from './read-config.ts';
import { host, path } from './rule.ts';

export interface Context {
  host: string;
  port: number;
  fleetId: string;
  /** Absolute paths. The authorities that vouch for the coordinator. */
  authority: string;
  /** Both, or none. */
  certificate?: string;
  key?: string;
  /** Without it, and without a certificate, the token comes from FLOTILLA_TOKEN. */
  tokenFile?: string;
}

export interface ContextFile {
  current?: string;
  contexts: Record<string, Context>;
}

export const contextNamePattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const nameRule = { pattern: contextNamePattern, expected: 'a name of a-z 0-9 . _ -', maxLength: 63 };

const fleetId: Field<string> = check(text(), (value, key) =>
  isFleetId(value)
    ? undefined
    : { message: `${key} is not valid`, seen: JSON.stringify(value), expected: 'a fleet id' },
);

const contextField = record<Context>(
  {
    host,
    port: integer({ min: 1, max: 65_535 }),
    fleetId,
    authority: path,
    certificate: path,
    key: path,
    tokenFile: path,
  },
  {},
  ['certificate', 'key', 'tokenFile'],
);

const fileField: Field<ContextFile> = check(
  record<ContextFile>({ current: text(nameRule), contexts: mapOf(nameRule, contextField) }, { contexts: {} }, [
    'current',
  ]),
  ({ current, contexts }) =>
    current === undefined || Object.hasOwn(contexts, current)
      ? undefined
      : { message: 'current names no context', seen: current, expected: Object.keys(contexts).join(', ') || 'none' },
);

/** $XDG_CONFIG_HOME/flotilla/contexts.yaml, or ~/.config/… */
export function contextFilePath(environment: NodeJS.ProcessEnv = process.env): string {
  const base = environment['XDG_CONFIG_HOME'];
  return join(
    base !== undefined && base.startsWith('/') ? base : join(homedir(), '.config'),
    'flotilla',
    'contexts.yaml',
  );
}

/** What stands in it; nothing when there is none. @throws `secret-file-exposed` when others may read or write it */
export async function readContextFile(file: string): Promise<ContextFile> {
  let source: string;
  try {
    source = (await readSecretFile(file)).toString('utf8');
  } catch (error) {
    if (error instanceof FlotillaError && error.detail.seen === 'ENOENT') return { contexts: {} };
    throw error;
  }
  if (parseDocument(source).contents === null) return { contexts: {} };
  return parseConfig(source, file, fileField);
}

/** Replaces it whole, with mode 0600: a reader sees the old one or the new one. */
export async function writeContextFile(file: string, content: ContextFile): Promise<void> {
  const folder = dirname(file);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const temporary = join(folder, `.contexts.${process.pid}.yaml`);
  try {
    await using handle = await open(temporary, 'w', 0o600);
    await handle.chmod(0o600); // one that a crash left may have another mode
    await handle.writeFile(stringify(content));
    await handle.sync();
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
