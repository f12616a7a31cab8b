import { findFleetDir } from '../config/fleet-dir.ts';
import { fleetLayout } from '../config/fleet-layout.ts';
import { FlotillaError } from '../error.ts';
import { readPublicKey } from '../firmware/index.ts';

/** The private key to sign with: the one asked for, else the fleet's. */
export async function choosePrivateKey(asked: string | undefined, fleetDir: string | undefined): Promise<string> {
  if (asked !== undefined) return asked;
  const fleet = await fleetOr(fleetDir, 'no key to sign with', 'give one with --key, or work inside a fleet');
  return fleetLayout(fleet).firmwarePrivateKey;
}

/** The public keys to verify with: the ones asked for, else the fleet's. Never none. */
export async function choosePublicKeys(asked: readonly string[], fleetDir: string | undefined): Promise<Buffer[]> {
  if (asked.length > 0) return Promise.all(asked.map((path) => readPublicKey(path)));
  const fleet = await fleetOr(fleetDir, 'no public key to verify with', 'give one with --key, or work inside a fleet');
  return [await readPublicKey(fleetLayout(fleet).firmwarePublicKey)];
}

async function fleetOr(fleetDir: string | undefined, message: string, suggestion: string): Promise<string> {
  try {
    return await findFleetDir(fleetDir);
  } catch (cause) {
    if (fleetDir !== undefined || process.env['FLOTILLA_FLEET_DIR']) throw cause;
    throw new FlotillaError('refused', 'firmware-no-key', message, {
      seen: 'no --key, and no fleet here or above',
      suggestion,
      cause,
    });
  }
}
