/** The device's identity is put in place once, and renewed by the agent from then on: installing again leaves it alone. */
import { createPublicKey, type X509Certificate } from 'node:crypto';
import { access, readFile } from 'node:fs/promises';
import { FlotillaError } from '../../error.ts';
import { parseCertificate } from '../../pki/certificate.ts';
import { parsePrivateKey } from '../../pki/parse-private-key.ts';
import { parseDeviceIdentity } from '../../pki/peer-identity.ts';
import { readSecretFile } from '../../pki/secret-file.ts';
import type { Owner } from './account.ts';
import { fileStep } from './file-step.ts';
import type { Step } from './step.ts';

/** The three files, from here. */
export interface IdentityPlace {
  key: string;
  certificate: string;
  authority: string;
}

export interface IdentityOption {
  /** What is brought along; each may be missing. */
  from: IdentityPlace;
  to: IdentityPlace;
  owner(): Promise<Owner | undefined>;
  /** Takes what is brought along even where the device has another identity. */
  replace: boolean;
}

export async function identitySteps({ from, to, owner, replace }: IdentityOption): Promise<Step[]> {
  const there = await readPart(to);
  const brought = await readPart(from);
  checkDevice(there, brought, replace);
  const keepKey = there.keyPem !== undefined && (brought.keyPem === undefined || !replace);
  const keyPem = keepKey ? there.keyPem : brought.keyPem;
  const steps: Step[] = [];
  const secret = (path: string) => ({ path, mode: 0o600, owner });
  const open = (path: string) => ({ path, mode: 0o644, owner });
  if (keepKey && there.keyPem !== undefined) {
    const detail =
      brought.keyPem !== undefined && brought.keyPem !== there.keyPem ? 'the device has its own' : undefined;
    steps.push(kept(fileStep({ text: there.keyPem }, secret(to.key)), detail));
  } else if (keyPem !== undefined) steps.push(fileStep({ text: keyPem }, secret(to.key)));

  const takes = takesCertificate(there, brought, { keyPem, replace: replace || !keepKey, path: from.certificate });
  const certificatePem = takes ? brought.certificatePem : there.certificatePem;
  const older = !takes && brought.certificatePem !== undefined && brought.certificatePem !== there.certificatePem;
  if (certificatePem !== undefined) {
    const detail = older ? `the device has a newer one, until ${there.certificate?.validTo}` : undefined;
    steps.push(kept(fileStep({ text: certificatePem }, open(to.certificate)), detail));
  }
  const authorityPem = takes || there.authorityPem === undefined ? brought.authorityPem : there.authorityPem;
  if (authorityPem !== undefined) steps.push(fileStep({ text: authorityPem }, open(to.authority)));
  return steps;
}

interface Part {
  keyPem: string | undefined;
  certificatePem: string | undefined;
  certificate: X509Certificate | undefined;
  authorityPem: string | undefined;
}

async function readPart({ key, certificate, authority }: IdentityPlace): Promise<Part> {
  const certificatePem = await readIfThere(certificate);
  return {
    keyPem: (await isThere(key)) ? (await readSecretFile(key)).toString('utf8') : undefined,
    certificatePem,
    certificate: certificatePem === undefined ? undefined : parseCertificate(certificatePem, certificate),
    authorityPem: await readIfThere(authority),
  };
}

function checkDevice(there: Part, brought: Part, replace: boolean): void {
  if (replace || there.certificate === undefined || brought.certificate === undefined) return;
  const [own, other] = [there.certificate, brought.certificate].map((one) => parseDeviceIdentity(one));
  if (own!.deviceId === other!.deviceId && own!.fleetId === other!.fleetId) return;
  throw new FlotillaError('refused', 'install-other-device', 'this machine is another device of a fleet already', {
    seen: `${own!.deviceId} of ${own!.fleetId}`,
    expected: `${other!.deviceId} of ${other!.fleetId}`,
    suggestion: 'flotilla-agent uninstall --purge first, or --replace-identity',
  });
}

/** Whether the certificate that was brought is for the key that stays, and better than what is there. */
function takesCertificate(
  there: Part,
  brought: Part,
  { keyPem, replace, path }: { keyPem: string | undefined; replace: boolean; path: string },
): boolean {
  if (brought.certificate === undefined) return false;
  if (keyPem === undefined) {
    throw new FlotillaError('usage', 'install-key-missing', 'a certificate was brought along, and there is no key', {
      seen: path,
      suggestion: 'make the key on this device: flotilla-agent csr --id ID',
    });
  }
  if (!createPublicKey(parsePrivateKey(keyPem, 'device.key')).equals(brought.certificate.publicKey)) {
    if (there.certificate !== undefined && !replace) return false; // its own identity stays whole
    throw new FlotillaError('usage', 'pki-key-mismatch', `${path} is not for the key of this device`, {
      suggestion: 'sign the request of this device: flotilla-agent csr --id ID',
    });
  }
  if (there.certificate === undefined || replace) return true;
  return brought.certificate.validToDate > there.certificate.validToDate;
}

/** Says why a file that is as it should be is not the one that was brought. */
function kept(step: Step, detail: string | undefined): Step {
  if (detail === undefined) return step;
  return {
    ...step,
    async inspect(earlier) {
      const inspection = await step.inspect(earlier);
      return inspection.change === 'unchanged' ? { change: 'kept', detail } : inspection;
    },
  };
}

async function readIfThere(path: string): Promise<string | undefined> {
  return (await isThere(path)) ? readFile(path, 'utf8') : undefined;
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
