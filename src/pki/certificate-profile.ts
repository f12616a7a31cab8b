/** What may be asked of each kind of certificate, and whether a request fits. Pure: the file is read in src/config. */
import { type KeyObject } from 'node:crypto';
import { FlotillaError } from '../error.ts';
import { isHost } from './host.ts';
import { isOfKind, type KeyKind } from './key-kind.ts';
import type { NameConstraint } from './name-constraint.ts';
import { defaultDeviceValidityDays, defaultOperatorValidityDays, ExtendedKeyUsage } from './profile.ts';
import { describePublicKey } from './public-key.ts';

/** What a person asks for when he lets a device in. */
export interface DeviceProfile {
  kind: 'device';
  /** When nothing is asked for. */
  validityDays: number;
  maxValidityDays: number;
  keyKinds: KeyKind[];
  /** `clientAuth`, and object ids of the product's own. */
  extendedKeyUsage: string[];
  /** Patterns of names that may stand beside the device's own: `DNS:{deviceId}.site.example.org`, `DNS:*.local`, `IP:*`. */
  extraNames: string[];
  /** A device may have it replaced by itself when its end comes near. */
  renewable: boolean;
}

export interface OperatorProfile {
  kind: 'operator';
  validityDays: number;
  maxValidityDays: number;
}

/** Its names are hosts: of coordinator.yaml, its life is 1970 to 9999: there is nothing to choose but the key. */
export interface CoordinatorProfile {
  kind: 'coordinator';
}

export interface IssuingProfile {
  kind: 'issuing';
  /** Of the next authority: `ca rotate` asks for it. */
  nameConstraints: NameConstraint;
}

/** What becomes of devices that come with a certificate of somebody else's authority. */
export interface RegisteredProfile {
  kind: 'registered';
  deviceId: string;
  arrival: 'pending' | 'accepted';
  tags: Record<string, string>;
  keyKinds: KeyKind[];
  /** Longer ones are refused; absent: as long as that authority likes. */
  maxValidityDays?: number;
  /** A new certificate with the same names takes the place of the one before. */
  renewable: boolean;
}

export type CertificateProfile =
  DeviceProfile | OperatorProfile | CoordinatorProfile | IssuingProfile | RegisteredProfile;

export type ProfileKind = CertificateProfile['kind'];

export type ProfileOf<K extends ProfileKind> = Extract<CertificateProfile, { kind: K }>;

export const maxValidityDays = 36_500;

/** One of each kind but `registered`, by the name of the kind: what holds where the file says nothing. */
export const defaultProfiles = {
  device: {
    kind: 'device',
    validityDays: defaultDeviceValidityDays,
    maxValidityDays,
    keyKinds: ['ec-p256', 'ec-p384', 'rsa-2048'],
    extendedKeyUsage: ['clientAuth'],
    extraNames: [],
    renewable: true,
  },
  operator: { kind: 'operator', validityDays: defaultOperatorValidityDays, maxValidityDays },
  coordinator: { kind: 'coordinator' },
  issuing: { kind: 'issuing', nameConstraints: { permittedDns: [], permittedUri: [] } },
} as const satisfies Record<string, CertificateProfile>;

/** Object ids below the arc of private enterprises: no verifier gives them a meaning of its own. */
export const privateUsagePattern = /^1\.3\.6\.1\.4\.1(?:\.(?:0|[1-9]\d{0,9})){1,12}$/;

export function usageOid(name: string): string {
  return name === 'clientAuth' ? ExtendedKeyUsage.clientAuth : name;
}

const extraNamePattern = /^(?:DNS:(?:\*\.)?(?:\{deviceId\}|[a-z0-9-]+)(?:\.[a-z0-9-]+)*|IP:(?:\*|[0-9a-f.:]+))$/i;

/** What is wrong with such a pattern, or undefined. */
export function extraNameProblem(pattern: string): string | undefined {
  if (!extraNamePattern.test(pattern))
    return 'it is none of DNS:name, DNS:*.name, DNS:{deviceId}.name, IP:address, IP:*';
  // Whoever has a certificate for such a name could stand in for the coordinator.
  return /\.flotilla$|^DNS:\*?\.?flotilla$/i.test(pattern)
    ? 'names in .flotilla are of the coordinator alone'
    : undefined;
}

/** How long the certificate of an operator holds. */
export function fitOperatorRequest(profile: OperatorProfile, days: number = profile.validityDays): number {
  if (days <= profile.maxValidityDays) return days;
  throw new FlotillaError(
    'refused',
    'certificate-profile',
    'profile operator gives no such certificate: the validity',
    {
      seen: `${days} days`,
      expected: `at most ${profile.maxValidityDays} days`,
      suggestion: 'ask for less, or change pki/profiles.yaml',
    },
  );
}

export interface DeviceRequest {
  deviceId: string;
  publicKey: KeyObject;
  days?: number | undefined;
  /** `DNS:…`, `IP:…` */
  names?: readonly string[] | undefined;
  /** Names of the coordinator: no device gets one. */
  reserved: readonly string[];
}

/** What the certificate will have; throws, with what does not fit and what would. */
export function fitDeviceRequest(
  profileName: string,
  profile: DeviceProfile,
  request: DeviceRequest,
): { validityDays: number; extendedKeyUsage: string[]; names: string[] } {
  const { deviceId, publicKey, days = profile.validityDays, names = [], reserved } = request;
  const refuse = (what: string, seen: string, expected: string): never => {
    throw new FlotillaError(
      'refused',
      'certificate-profile',
      `profile ${profileName} gives no such certificate: ${what}`,
      {
        seen,
        expected,
        suggestion: 'ask for less, take another --profile, or change pki/profiles.yaml',
      },
    );
  };
  if (!isOfKind(publicKey, profile.keyKinds)) {
    refuse('the key', describePublicKey(publicKey), profile.keyKinds.join(', '));
  }
  if (days > profile.maxValidityDays) refuse('the validity', `${days} days`, `at most ${profile.maxValidityDays} days`);
  for (const name of names) {
    const host = /^(?:DNS|IP):(.+)$/.exec(name)?.[1];
    if (host === undefined || !isHost(host))
      refuse('a name', JSON.stringify(name.slice(0, 120)), 'DNS:name or IP:address');
    else if (reserved.some((one) => one.toLowerCase() === host.toLowerCase())) {
      refuse('a name', name, "a name that is not the coordinator's");
    } else if (!profile.extraNames.some((pattern) => matchesExtraName(pattern, name, deviceId))) {
      refuse('a name', name, profile.extraNames.join(', ') || 'no name beside its own (extraNames is empty)');
    }
  }
  return {
    validityDays: days,
    extendedKeyUsage: profile.extendedKeyUsage.map(usageOid),
    names: [...new Set(names)],
  };
}

function matchesExtraName(pattern: string, name: string, deviceId: string): boolean {
  const [want, have] = [pattern.replaceAll('{deviceId}', deviceId), name].map((text) => text.toLowerCase());
  if (want === 'ip:*') return have!.startsWith('ip:');
  if (!want!.startsWith('dns:*.')) return want === have;
  const rest = want!.slice('dns:*'.length);
  const label = have!.startsWith('dns:') && have!.endsWith(rest) ? have!.slice('dns:'.length, -rest.length) : '';
  return /^[a-z0-9-]+$/.test(label);
}
