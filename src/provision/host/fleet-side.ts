/** What provisioning asks of the coordinator, and how it takes that back. */
import type { CoordinatorClient } from '../../client/coordinator-client.ts';
import type { Device } from '../../client/contract/index.ts';
import { FlotillaError } from '../../error.ts';

/** The device as the fleet knows it; undefined: not at all. */
export async function findDevice(client: CoordinatorClient, deviceId: string): Promise<Device | undefined> {
  try {
    return await client.device(deviceId);
  } catch (error) {
    if (error instanceof FlotillaError && error.code === 'device-unknown') return undefined;
    throw error;
  }
}

/** Who shut the device out has to let it in: a technician with a cable does not. */
export function requireWelcome(device: Device | undefined): void {
  if (device === undefined || ['accepted', 'pending', 'revoked'].includes(device.state)) return;
  throw new FlotillaError('refused', 'certificate-device-state', `device ${device.id} is ${device.state}`, {
    seen: device.state,
    expected: 'a device that nobody shut out',
    suggestion: `flotilla device accept ${device.id}, then provision again`,
  });
}

/** Makes of the tags what they should be; others stay. True when something changed. */
export async function setTags(
  client: CoordinatorClient,
  device: Device,
  tags: Record<string, string>,
): Promise<boolean> {
  const missing = Object.entries(tags).filter(([name, value]) => device.tags[name] !== value);
  if (missing.length === 0) return false;
  await client.tagDevices({ selector: `L@${device.id}`, set: Object.fromEntries(missing), unset: [] });
  return true;
}

/** Connected by this certificate and with its grains told; `sleep` between questions. */
export async function waitConnected(
  client: CoordinatorClient,
  deviceId: string,
  { limitMs, sleep }: { limitMs: number; sleep(ms: number): Promise<void> },
): Promise<Device> {
  for (let waitedMs = 0; ; waitedMs += 500) {
    const device = await findDevice(client, deviceId);
    const isHeld = device !== undefined && device.state !== 'accepted' && device.state !== 'pending';
    if (device?.connected === true && (isHeld || Object.keys(device.grains).length > 0)) return device;
    if (waitedMs >= limitMs) {
      throw new FlotillaError('undecided', 'device-not-connected', `${deviceId} did not connect to the coordinator`, {
        seen:
          device === undefined
            ? 'the fleet does not know it'
            : `${device.state}, ${device.connected ? 'connected, without grains' : 'offline'}`,
        expected: `a connection with its grains within ${Math.round(limitMs / 1000)} s`,
        suggestion: 'check that the device reaches the address given as --coordinator, and its clock and log there',
      });
    }
    await sleep(500);
  }
}

/** A certificate that is of no use any more, and a record that this command has made. What can't be taken back is told. */
export async function takeBack(
  client: CoordinatorClient,
  { deviceId, serial, wasKnown }: { deviceId: string; serial: string | undefined; wasKnown: boolean },
): Promise<string | undefined> {
  if (serial === undefined) return undefined;
  const left: string[] = [];
  try {
    await client.revoke({ subject: serial, reason: 'provisioning failed' });
  } catch (error) {
    left.push(`certificate ${serial} is not revoked: ${messageOf(error)}`);
  }
  if (!wasKnown) {
    try {
      await client.removeDevice(deviceId);
    } catch (error) {
      left.push(`device ${deviceId} is still on record: ${messageOf(error)}`);
    }
  }
  return left.length === 0 ? undefined : left.join('; ');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
