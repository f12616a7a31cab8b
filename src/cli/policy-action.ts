/** The `action` of a policy file: what a rollout does to each device where it brings no release. */
import { basename, dirname, resolve } from 'node:path';
import type { Node } from 'yaml';
import type { Content, RolloutAction } from '../client/contract/index.ts';
import { check, choice, type Field, list, record, tagged, text } from '../config/field.ts';
import { durationField } from './measure-field.ts';
import { readSettings } from './read-settings.ts';

interface Timed {
  /** Seconds. */
  timeout?: number;
}

/** As it is written: files by their names, as seen from the policy. */
export type WrittenAction =
  | { kind: 'certificate' }
  | { kind: 'agent-update'; release: string }
  | ({ kind: 'config'; name: string; file?: string; document?: unknown } & Timed)
  | ({ kind: 'command'; run?: string[]; shell?: string } & Timed)
  | ({ kind: 'script'; file: string; args?: string[] } & Timed)
  | ({ kind: 'put'; file: string; to: string; mode?: string; owner?: string } & Timed)
  | ({ kind: 'restart'; service: string } & Timed)
  | ({ kind: 'ping' | 'reboot' | 'refresh' } & Timed);
type Of<Kind extends WrittenAction['kind']> = Extract<WrittenAction, { kind: Kind }>;

const argument = text({ maxLength: 65_536 });
const file = text({ expected: 'the name of a file', maxLength: 4_096 });
const anything: Field<unknown> = (node: Node, _, reading) => node.toJS(reading.document) as unknown;

/** Just one of two keys. */
function oneOf<T extends object>(field: Field<T>, one: keyof T & string, other: keyof T & string): Field<T> {
  return check(field, (value, key) => {
    if ((value[one] === undefined) !== (value[other] === undefined)) return undefined;
    const seen = value[one] === undefined ? `neither ${one} nor ${other}` : `${one} and ${other}`;
    return { message: `${key} is not valid`, seen, expected: `either ${one} or ${other}` };
  });
}

function plain<Kind extends 'ping' | 'reboot' | 'refresh'>(kind: Kind): Field<WrittenAction> {
  return record<{ kind: Kind } & Timed>({ kind: choice([kind]), timeout: durationField }, {}, ['timeout']);
}

export const policyActionField: Field<WrittenAction> = tagged<WrittenAction>('kind', 'command', {
  certificate: record<Of<'certificate'>>({ kind: choice(['certificate']) }, {}),
  'agent-update': record<Of<'agent-update'>>(
    {
      kind: choice(['agent-update']),
      release: text({ expected: 'flotilla-agent/version, or flotilla-agent/version/channel', maxLength: 256 }),
    },
    {},
  ),
  config: oneOf(
    record<Of<'config'>>(
      {
        kind: choice(['config']),
        name: text({ pattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, expected: 'the name of a document of settings' }),
        file,
        document: anything,
        timeout: durationField,
      },
      {},
      ['file', 'document', 'timeout'],
    ),
    'file',
    'document',
  ),
  command: oneOf(
    record<Of<'command'>>(
      {
        kind: choice(['command']),
        run: list(argument, { min: 1, max: 1_024 }),
        shell: argument,
        timeout: durationField,
      },
      {},
      ['run', 'shell', 'timeout'],
    ),
    'run',
    'shell',
  ),
  script: record<Of<'script'>>(
    { kind: choice(['script']), file, args: list(argument, { max: 1_023 }), timeout: durationField },
    {},
    ['args', 'timeout'],
  ),
  put: record<Of<'put'>>(
    {
      kind: choice(['put']),
      file,
      to: text({ pattern: /^\/./, expected: 'an absolute path on the device', maxLength: 4_096 }),
      mode: text({ pattern: /^[0-7]{3,4}$/, expected: "permissions in quotes: '644'" }),
      owner: text({ expected: 'a user, or user:group', maxLength: 65 }),
      timeout: durationField,
    },
    {},
    ['mode', 'owner', 'timeout'],
  ),
  restart: record<Of<'restart'>>(
    { kind: choice(['restart']), service: text({ expected: 'a service', maxLength: 128 }), timeout: durationField },
    {},
    ['timeout'],
  ),
  ping: plain('ping'),
  reboot: plain('reboot'),
  refresh: plain('refresh'),
});

/** What becomes of a file that an action brings: it is sent to the coordinator, or only looked at. */
export type TakeContent = (path: string) => Promise<Content>;

/** @param policyFile files of the action are named as seen from it */
export async function resolveAction(
  written: WrittenAction,
  policyFile: string,
  take: TakeContent,
): Promise<RolloutAction> {
  const at = (name: string) => resolve(dirname(policyFile), name);
  if (written.kind === 'certificate' || written.kind === 'agent-update') return written;
  const timed = written.timeout === undefined ? {} : { timeoutSeconds: written.timeout };
  switch (written.kind) {
    case 'config': {
      const document = written.file === undefined ? written.document : await readSettings(at(written.file));
      return { kind: 'config', name: written.name, document, ...timed };
    }
    case 'command': {
      const { run, shell = '' } = written;
      const job = run === undefined ? { argv: [shell], shell: true } : { argv: run };
      return { kind: 'job', job: { kind: 'command', ...job }, ...timed };
    }
    case 'script': {
      const { file: name, args = [] } = written;
      const content = await take(at(name));
      return { kind: 'job', job: { kind: 'script', name: basename(name), content, args }, ...timed };
    }
    case 'put': {
      const { file: name, to: path, mode, owner } = written;
      const content = await take(at(name));
      const more = { ...(mode === undefined ? {} : { mode }), ...(owner === undefined ? {} : { owner }) };
      return { kind: 'job', job: { kind: 'put', path, content, ...more }, ...timed };
    }
    case 'restart':
      return { kind: 'job', job: { kind: 'restart', service: written.service }, ...timed };
    case 'ping':
    case 'reboot':
    case 'refresh':
      return { kind: 'job', job: { kind: written.kind }, ...timed };
  }
}
