/** pki/profiles.yaml: what certificates of each kind may look like. A profile that is not there has its defaults. */
import { readFile } from 'node:fs/promises';
import { type Node, isMap } from 'yaml';
import { FlotillaError, systemErrorCode } from '../error.ts';
import {
  type CertificateProfile,
  type DeviceProfile,
  type IssuingProfile,
  type OperatorProfile,
  type ProfileKind,
  type ProfileOf,
  type RegisteredProfile,
  defaultProfiles,
  extraNameProblem,
  maxValidityDays,
  privateUsagePattern,
} from '../pki/certificate-profile.ts';
import { keyKinds } from '../pki/key-kind.ts';
import { templateProblem } from '../pki/registered-identity.ts';
import { type Field, boolean, check, choice, integer, list, mapOf, record, text } from './field.ts';
import { parseConfig } from './read-config.ts';

export type Profiles = Record<string, CertificateProfile>;

const defaults = defaultProfiles as unknown as Profiles;

const days = integer({ min: 1, max: maxValidityDays, unit: 'days' });
const kinds = list(choice(keyKinds), { min: 1 });
const tag = { pattern: /^[a-z][a-z0-9_.-]{0,62}$/, expected: 'a name of a-z 0-9 _ . -', maxLength: 63 };
const dnsName = text({ pattern: /^\.?[a-z0-9-]+(?:\.[a-z0-9-]+)*$/i, expected: 'a DNS name', maxLength: 253 });

function withProblem(field: Field<string>, problemOf: (value: string) => string | undefined): Field<string> {
  return check(field, (value, key) => {
    const problem = problemOf(value);
    return problem === undefined
      ? undefined
      : { message: `${key} is not valid`, seen: JSON.stringify(value), expected: `another text: ${problem}` };
  });
}

/** The default may not be longer than what may be asked for. */
function withinMax<T extends { validityDays: number; maxValidityDays: number }>(field: Field<T>): Field<T> {
  return check(field, (profile, key) =>
    profile.validityDays <= profile.maxValidityDays
      ? undefined
      : {
          message: `${key}.validityDays is more than maxValidityDays`,
          seen: `${profile.validityDays} days`,
          expected: `at most ${profile.maxValidityDays} days`,
        },
  );
}

const usage = check(list(text({ maxLength: 128 }), { min: 1, max: 16 }), (usages, key) => {
  const odd = usages.find((one) => one !== 'clientAuth' && !privateUsagePattern.test(one));
  if (odd === undefined && usages.includes('clientAuth')) return undefined;
  return {
    message: `${key} is not valid`,
    seen: odd === undefined ? usages.join(', ') : JSON.stringify(odd),
    expected: 'clientAuth, and beside it object ids of your own below 1.3.6.1.4.1',
    suggestion: 'a device that could also be a server could stand in for the coordinator',
  };
});

const fields: { [K in ProfileKind]: Field<ProfileOf<K>> } = {
  device: withinMax(
    record<DeviceProfile>(
      {
        kind: choice(['device']),
        validityDays: days,
        maxValidityDays: days,
        keyKinds: kinds,
        extendedKeyUsage: usage,
        extraNames: list(withProblem(text({ maxLength: 256 }), extraNameProblem)),
        renewable: boolean(),
      },
      structuredClone(defaultProfiles.device) as unknown as DeviceProfile,
    ),
  ),
  operator: withinMax(
    record<OperatorProfile>(
      { kind: choice(['operator']), validityDays: days, maxValidityDays: days },
      defaultProfiles.operator,
    ),
  ),
  coordinator: record<ProfileOf<'coordinator'>>({ kind: choice(['coordinator']) }, {}),
  issuing: record<IssuingProfile>(
    {
      kind: choice(['issuing']),
      nameConstraints: record(
        {
          permittedDns: list(dnsName),
          permittedUri: list(text({ pattern: /^[a-z0-9.-]+$/i, expected: 'the host of URIs', maxLength: 253 })),
        },
        { permittedDns: [], permittedUri: [] },
      ),
    },
    { nameConstraints: { permittedDns: [], permittedUri: [] } },
  ),
  registered: record<RegisteredProfile>(
    {
      kind: choice(['registered']),
      deviceId: withProblem(text({ maxLength: 128 }), templateProblem),
      arrival: choice(['pending', 'accepted']),
      tags: mapOf(tag, text({ maxLength: 256 })),
      keyKinds: kinds,
      maxValidityDays: days,
      renewable: boolean(),
    },
    { arrival: 'pending', tags: {}, keyKinds: [...defaultProfiles.device.keyKinds], renewable: true },
    ['maxValidityDays'],
  ),
};

const kindNames = Object.keys(fields) as ProfileKind[];

/** The kind says which keys there are. */
const profile: Field<CertificateProfile> = (node, key, reading) => {
  const kind: unknown = isMap(node) ? node.get('kind') : undefined;
  const known = kindNames.find((name) => name === kind);
  if (known !== undefined) return fields[known](node, key, reading);
  const place = isMap(node) ? (node.get('kind', true) as Node | undefined) : undefined;
  choice(kindNames)(place ?? node, `${key}.kind`, reading);
  return undefined;
};

const name = { pattern: /^[a-z0-9][a-z0-9-]{0,31}$/, expected: 'a name of a-z 0-9 -', maxLength: 32 };

const file = record<{ profiles: Profiles }>(
  {
    profiles: check(mapOf(name, profile, { max: 64 }), (profiles, key) => {
      const odd = Object.entries(profiles).find(([one, { kind }]) => one in defaultProfiles && one !== kind);
      if (odd === undefined) return undefined;
      const [one, { kind }] = odd;
      return { message: `${key}.${one} has to be of the kind ${one}`, seen: kind, expected: one };
    }),
  },
  { profiles: {} },
);

export function parseProfiles(source: string, path: string): Profiles {
  return {
    ...structuredClone(defaults),
    ...parseConfig(source, path, file).profiles,
  };
}

/** Without a file the defaults hold. Throws ConfigError with every problem. */
export async function loadProfiles(path: string): Promise<Profiles> {
  try {
    return parseProfiles(await readFile(path, 'utf8'), path);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === undefined || error instanceof FlotillaError) throw error;
    if (code === 'ENOENT') return structuredClone(defaults);
    throw new FlotillaError('usage', 'config-unreadable', `${path} can't be read`, { seen: code, cause: error });
  }
}

/** The profile of that name, when it is of that kind. */
export function chooseProfile<K extends ProfileKind>(profiles: Profiles, kind: K, asked: string = kind): ProfileOf<K> {
  const found = Object.hasOwn(profiles, asked) ? profiles[asked] : undefined;
  if (found?.kind === kind) return found as ProfileOf<K>;
  const fitting = Object.keys(profiles).filter((one) => profiles[one]?.kind === kind);
  throw new FlotillaError('usage', 'certificate-profile-unknown', `there is no profile ${asked} of the kind ${kind}`, {
    seen: found === undefined ? JSON.stringify(asked) : `a profile of the kind ${found.kind}`,
    expected: fitting.join(', ') || `one of the kind ${kind} in pki/profiles.yaml`,
    suggestion: 'see pki/profiles.yaml',
  });
}
