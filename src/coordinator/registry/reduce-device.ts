/**
 * What the coordinator knows of one device. Pure: `(device, event, now) → device`; the same object back means that
 * nothing changed.
 */
import type { AcceptsEvent, GrainsEvent, Running } from '../../protocol/event.ts';
import type { AgentUpdateRow } from '../../store/agent-update-row.ts';
import type { CertificateFactsRow, ClockRow, DeviceRow, HoldRow, RefusedRow } from '../../store/row.ts';

export type DeviceInput =
  /** `pin`: this history of it and no other. */
  | { kind: 'accept'; pin?: string }
  /** A certificate was signed for it. */
  | { kind: 'certify'; state: 'accepted' | 'pending' }
  | { kind: 'reject' }
  | { kind: 'quarantine'; hold: Omit<HoldRow, 'atMs'> }
  | { kind: 'refused'; refused: Omit<RefusedRow, 'atMs'> }
  | { kind: 'clock'; clock: ClockRow }
  /** It takes the place of `old`, with the tags that it had. */
  | { kind: 'replaces'; old: string; tags: Record<string, string> }
  | { kind: 'replaced'; by: string }
  | { kind: 'revoke' }
  | { kind: 'candidate'; certificate: CertificateFactsRow }
  | { kind: 'tag'; set: Record<string, string>; unset: readonly string[] }
  | { kind: 'connect'; address: string; agentVersion: string; instanceId: string; serial: string }
  | { kind: 'disconnect'; receivedBytes: number; sentBytes: number }
  | { kind: 'boot'; running: Running; agentVersion: string }
  | { kind: 'accepts'; event: AcceptsEvent }
  | { kind: 'grains'; grains: GrainsEvent['grains'] }
  | { kind: 'quarantine-bundle'; bundleUuid: string }
  | { kind: 'allow-bundle'; bundleUuid: string }
  /** An update of its own program: sent, or how it stands. */
  | { kind: 'agent-update'; update: AgentUpdateRow };

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
      if (device.state === 'accepted' && device.candidate === undefined && device.pin === input.pin) return device;
      return accepted(device, input.pin);
    case 'certify':
      if (input.state === 'pending' && device.state === 'accepted') return device;
      return { ...device, state: input.state };
    case 'reject':
      return device.state === 'rejected' ? device : withoutCandidate({ ...device, state: 'rejected' });
    case 'quarantine':
      // One that is kept out for good is not let back as far as its control lane.
      if (device.state === 'revoked' || device.state === 'rejected') return device;
      if (device.state === 'quarantined') return device;
      return { ...device, state: 'quarantined', hold: { ...input.hold, atMs: nowMs } };
    case 'refused': {
      const { rule, reason } = input.refused;
      if (device.refused?.rule === rule && device.refused.reason === reason) return device;
      return { ...device, refused: { rule, reason, atMs: nowMs } };
    }
    case 'clock':
      return { ...device, clock: input.clock };
    case 'replaces':
      return { ...device, replaces: input.old, tags: input.tags };
    case 'replaced':
      return { ...device, replacedBy: input.by };
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
      const { refused, ...rest } = device;
      // A copy that was refused stays worth knowing; what the application refused, it has let in now.
      const kept = refused === undefined || refused.rule === 'connect-hook' ? {} : { refused };
      return { ...rest, ...kept, address, agentVersion, instanceId, serial, sinceMs: nowMs };
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
    case 'agent-update':
      return { ...device, agentUpdate: input.update };
    case 'quarantine-bundle':
      if (device.quarantinedBundles.includes(input.bundleUuid)) return device;
      return { ...device, quarantinedBundles: [...device.quarantinedBundles, input.bundleUuid] };
    case 'allow-bundle': {
      const rest = device.quarantinedBundles.filter((each) => each !== input.bundleUuid);
      return rest.length === device.quarantinedBundles.length ? device : { ...device, quarantinedBundles: rest };
    }
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

function accepted(device: DeviceRow, pin: string | undefined): DeviceRow {
  const { hold: _, refused: __, pin: ___, ...rest } = withoutCandidate(device);
  return { ...rest, state: 'accepted', ...(pin === undefined ? {} : { pin }) };
}

function withoutCandidate(device: DeviceRow): DeviceRow {
  const { candidate: _, ...rest } = device;
  return rest;
}
