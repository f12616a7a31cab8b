import { X509Certificate, type KeyObject } from 'node:crypto';
import { chooseProfile } from '../../config/profile-file.ts';
import { FlotillaError } from '../../error.ts';
import { fitDeviceRequest, type DeviceRequest } from '../../pki/index.ts';
import type { CertificateRow } from '../../store/index.ts';
import type { ServiceContext } from './context.ts';

type Fitted = ReturnType<typeof fitDeviceRequest>;

/** What a first certificate will have, by a profile of the kind device; throws where the request does not fit. */
export async function fitToProfile(
  context: ServiceContext,
  request: Omit<DeviceRequest, 'reserved'>,
  profileName = 'device',
): Promise<Fitted> {
  const profile = chooseProfile(await context.loadProfiles(), 'device', profileName);
  return fitDeviceRequest(profileName, profile, { ...request, reserved: context.authorities.reservedHosts });
}

/** The same for one that takes the place of another: with its names, and as long as it was, if the profile still lets it. */
export async function fitRenewal(
  context: ServiceContext,
  before: CertificateRow,
  { publicKey, days }: { publicKey: KeyObject; days: number },
): Promise<Fitted> {
  const { deviceId, profile: profileName = 'device' } = before;
  const profile = chooseProfile(await context.loadProfiles(), 'device', profileName);
  if (!profile.renewable) {
    throw new FlotillaError('refused', 'not-renewable', `profile ${profileName} lets no device renew its certificate`, {
      expected: 'renewable: true in pki/profiles.yaml, or a new certificate by an operator: flotilla cert sign',
    });
  }
  const reserved = context.authorities.reservedHosts;
  const names = extraNamesOf(before.pem);
  return fitDeviceRequest(profileName, profile, {
    deviceId,
    publicKey,
    days: Math.min(days, profile.maxValidityDays),
    names,
    reserved,
  });
}

/** The hosts that stand beside its own name. */
function extraNamesOf(pem: string): string[] {
  const names = pem === '' ? [] : (new X509Certificate(pem).subjectAltName?.split(', ') ?? []);
  return names.filter((name) => !name.startsWith('URI:')).map((name) => name.replace(/^IP Address:/, 'IP:'));
}
