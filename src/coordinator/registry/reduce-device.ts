/**
 * What the coordinator knows of one device. Pure: `(device, event, now) → device`; the same object back means that
 * nothing changed.
 */
import type { AcceptsEvent, GrainsEvent, Running } from '../../protocol/event.ts';
import type { CertificateFactsRow, DeviceRow } from '../../store/row.ts';

export type DeviceInput =
  | { kind: 'accept' }
  /** A certificate was signed for it. */
  | { kind: 'certify'; state: 'accepted' | 'pending' }
  | { kind: 'reject' }
  | { kind: 'quarantine' }
  | { kind: 'revoke' }
  | { kind: 'candidate'; certificate: CertificateFactsRow }
  | { kind: 'tag'; set: Record<string, string>; unset: readonly string[] }
  | { kind: 'connect'; address: string; agentVersion: string; instanceId: string; serial: string }
  | { kind: 'disconnect'; receivedBytes: number; sentBytes: number }
  | { kind: 'boot'; running: Running; agentVersion: string }
  | { kind: 'accepts'; event: AcceptsEvent }
  | { kind: 'grains'; grains: GrainsEvent['grains'] }
  | { kind: 'quarantine-bundle'; bundleUuid: string };

export function newDevice(id: string, state: DeviceRow['state'], nowMs: number): DeviceRow {
  return {
    id,
    state,
    createdAtMs: nowMs,
    grains: {},
    tags: {},
    quarantinedBundles: [],
    receivedBytes: 0,
    sentBytes: 0,
  };
}

export function reduceDevice(device: DeviceRow, input: DeviceInput, nowMs: number): DeviceRow {
  switch (input.kind) {
    case 'accept':
      // A revoked device needs a new certificate first; signing one accepts it.
      if (device.state === 'revoked') return device;
      if (device.state === 'accepted' && device.candidate === undefined) return device;
      return withoutCandidate({ ...device, state: 'accepted' });
    case 'certify':
      if (input.state === 'pending' && device.state === 'accepted') return device;
      return { ...device, state: input.state };
    case 'reject':
      return device.state === 'rejected' ? device : withoutCandidate({ ...device, state: 'rejected' });
    case 'quarantine':
      // One that is kept out for good is not let back as far as its control lane.
      if (device.state === 'revoked' || device.state === 'rejected') return device;
      return device.state === 'quarantined' ? device : { ...device, state: 'quarantined' };
    case 'revoke':
      return device.state === 'revoked' ? device : withoutCandidate({ ...device, state: 'revoked' });
    case 'candidate':
      return device.candidate?.serial === input.certificate.serial
        ? device
        : { ...device, candidate: input.certificate };
    case 'tag':
      return retag(device, input.set, input.unset);
    case 'connect': {
      const { address, agentVersion, instanceId, serial } = input;
      return { ...device, address, agentVersion, instanceId, serial, sinceMs: nowMs };
    }
    case 'disconnect':
      return {
        ...device,
        sinceMs: nowMs,
        receivedBytes: device.receivedBytes + input.receivedBytes,
        sentBytes: device.sentBytes + input.sentBytes,
      };
    case 'boot':
      return { ...device, running: input.running, agentVersion: input.agentVersion };
    case 'accepts':
      return { ...device, accepts: { agentVersion: input.event.agentVersion, types: input.event.accepts } };
    case 'grains':
      return { ...device, grains: input.grains };
    case 'quarantine-bundle':
      if (device.quarantinedBundles.includes(input.bundleUuid)) return device;
      return { ...device, quarantinedBundles: [...device.quarantinedBundles, input.bundleUuid] };
  }
}

function retag(device: DeviceRow, set: Record<string, string>, unset: readonly string[]): DeviceRow {
  const tags = { ...device.tags, ...set };
  for (const name of unset) delete tags[name];
  const names = Object.keys(tags);
  const same =
    names.length === Object.keys(device.tags).length && names.every((name) => tags[name] === device.tags[name]);
  return same ? device : { ...device, tags };
}

function withoutCandidate(device: DeviceRow): DeviceRow {
  const { candidate: _, ...rest } = device;
  return rest;
}
