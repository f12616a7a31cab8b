import type { AcceptRequest, Changed, Device, QuarantineRequest, TagChange } from '../../client/contract/device.ts';
import { FlotillaError } from '../../error.ts';
import type { CertificateRow, DeviceRow } from '../../store/index.ts';
import { holdReason, summarizeConfig } from '../config/view-config.ts';
import type { CoreState } from '../core/core-state.ts';
import { acceptDevice, changeDevice, cutConnection, quarantineDevice, removeDevice } from '../core/device-operation.ts';
import { freeContradicted } from '../core/enroll-operation.ts';
import { appendOwnEvent } from '../core/event-operation.ts';
import { endRenewal } from '../core/renewal-operation.ts';
import type { Turn } from '../core/turn.ts';
import { audit, type ServiceContext } from './context.ts';
import { lineageOf } from './lineage.ts';
import { viewRenewal } from './renewal-service.ts';
import { matchKnown, requireKnown } from './target.ts';
import { viewAgentUpdate } from './view-agent-update.ts';
import { viewFreshness, viewLog } from './view-freshness.ts';

/** The device as the API shows it. */
export function viewDevice(state: CoreState, id: string, nowMs: number): Device | undefined {
  const device = state.devices.get(id);
  if (device === undefined) return undefined;
  const serial = device.serial ?? state.serials.get(id)?.at(-1);
  const certificate = serial === undefined ? undefined : state.certificates.get(serial);
  const renewal = state.renewals.get(id);
  const freshness = viewFreshness(state, id, nowMs);
  const log = viewLog(state, id);
  return {
    id,
    state: device.state,
    connected: state.live.has(id),
    ...(device.sinceMs === undefined ? {} : { sinceMs: device.sinceMs }),
    ...(device.address === undefined ? {} : { address: device.address }),
    ...(device.agentVersion === undefined ? {} : { agentVersion: device.agentVersion }),
    grains: device.grains,
    tags: device.tags,
    ...(device.running === undefined ? {} : { running: device.running }),
    ...(certificate === undefined ? {} : { certificate: certificateFacts(certificate) }),
    ...(renewal === undefined ? {} : { renewal: viewRenewal(state, renewal) }),
    quarantinedBundles: device.quarantinedBundles,
    ...(device.agentUpdate === undefined ? {} : { agentUpdate: viewAgentUpdate(device.agentUpdate, nowMs) }),
    ...standingFacts(device),
    ...(device.replaces === undefined ? {} : { lineage: lineageOf(state, id) }),
    ...requestFacts(state, device),
    traffic: { receivedBytes: device.receivedBytes, sentBytes: device.sentBytes },
    ...(freshness === undefined ? {} : { freshness }),
    ...(log === undefined ? {} : { log }),
  };
}

/** Who has decided what about it, and what is odd about it. */
function standingFacts({ state, hold, instanceId, pin, refused, clock, replaces, replacedBy }: DeviceRow) {
  return {
    ...(hold === undefined || state !== 'quarantined' ? {} : { hold: hold as NonNullable<Device['hold']> }),
    ...(instanceId === undefined ? {} : { instanceId }),
    ...(pin === undefined ? {} : { pinnedInstance: pin }),
    ...(refused === undefined ? {} : { refused }),
    ...(clock === undefined ? {} : { clock }),
    ...(replaces === undefined ? {} : { replaces }),
    ...(replacedBy === undefined ? {} : { replacedBy }),
  };
}

function certificateFacts({
  serial,
  notAfterMs,
  provenAtMs,
  replacedBy,
}: CertificateRow): NonNullable<Device['certificate']> {
  return {
    serial,
    notAfterMs,
    ...(provenAtMs === undefined ? {} : { provenAtMs }),
    ...(replacedBy === undefined ? {} : { replacedBy }),
  };
}

/** What the device takes, what waits for it to take it, and how its settings stand. */
function requestFacts(state: CoreState, device: DeviceRow): Pick<Device, 'accepts' | 'held' | 'configs'> {
  const { id, accepts, agentVersion } = device;
  const outbox = state.outboxes.get(id) ?? [];
  const held = outbox.flatMap(({ seq, type, key, payload, expiresAtMs }) => {
    const reason = seq === undefined ? holdReason({ type, payload }, device) : undefined;
    return reason === undefined ? [] : [{ type, key, reason, expiresAtMs }];
  });
  const configs = [...(state.configs.get(id)?.values() ?? [])].map((config) => summarizeConfig(config, outbox, device));
  return {
    ...(accepts === undefined || accepts.agentVersion !== agentVersion ? {} : { accepts: accepts.types }),
    ...(held.length === 0 ? {} : { held }),
    ...(configs.length === 0 ? {} : { configs: configs.toSorted((a, b) => (a.name < b.name ? -1 : 1)) }),
  };
}

export function unknownDevice(id: string): FlotillaError {
  return new FlotillaError('usage', 'device-unknown', `there is no device ${id}`, {
    seen: id,
    suggestion: 'flotilla device list',
  });
}

export function showDevice({ core }: ServiceContext, id: string): Promise<Device> {
  return core.submit(({ state, nowMs }) => {
    const device = viewDevice(state, id, nowMs);
    if (device === undefined) throw unknownDevice(id);
    return device;
  });
}

/** In order of id. */
export function listDevices({ core }: ServiceContext, query: { selector?: string; state?: string }): Promise<Device[]> {
  return core.submit((turn) => {
    const { state, nowMs } = turn;
    const ids = query.selector === undefined ? [...state.devices.keys()].toSorted() : matchKnown(turn, query.selector);
    return ids
      .map((id) => viewDevice(state, id, nowMs)!)
      .filter((device) => query.state === undefined || device.state === query.state);
  });
}

/** With an instance, the histories of other copies are kept out from now on. */
export function acceptDevices(context: ServiceContext, { selector, instance }: AcceptRequest): Promise<Changed> {
  const detail = instance === undefined ? {} : { instance };
  return changeEach(
    context,
    'device.accept',
    selector,
    (turn, id) => {
      if (instance !== undefined) requireInstance(turn, selector, id, instance);
      freeContradicted(turn, id);
      return acceptDevice(turn, id, instance);
    },
    detail,
  );
}

function requireInstance(turn: Turn, selector: string, id: string, instance: string): void {
  const { state } = turn;
  const { hold, instanceId } = state.devices.get(id)!;
  const known = new Set([...(state.cursors.get(id)?.keys() ?? []), ...(hold?.instances ?? [])]);
  if (instanceId !== undefined) known.add(instanceId);
  const others = matchKnown(turn, selector).length;
  if (others > 1) {
    throw new FlotillaError('usage', 'device-instance-many', 'an instance is of one device', {
      seen: `'${selector}' matches ${others} devices`,
      expected: 'the id of one device',
    });
  }
  if (known.has(instance)) return;
  throw new FlotillaError('usage', 'device-instance-unknown', `${id} never came with this instance`, {
    seen: instance,
    expected: known.size === 0 ? 'a device that was here before' : [...known].slice(0, 20).join(', '),
  });
}

/** Its control lane stays: it can be looked at, and let back in by `accept`. */
export function quarantineDevices(context: ServiceContext, { selector, reason }: QuarantineRequest): Promise<Changed> {
  return changeEach(
    context,
    'device.quarantine',
    selector,
    (turn, id) => quarantineDevice(turn, id, { by: 'operator', reason }),
    { reason },
  );
}

/** A rejected device is cut off at once. */
export function rejectDevices(context: ServiceContext, selector: string): Promise<Changed> {
  return changeEach(context, 'device.reject', selector, (turn, id) => {
    const changed = changeDevice(turn, id, { kind: 'reject' });
    if (changed) {
      cutConnection(turn, id, 'rejected');
      endRenewal(turn, id);
    }
    return changed;
  });
}

export function tagDevices(context: ServiceContext, { selector, set, unset }: TagChange): Promise<Changed> {
  return changeEach(
    context,
    'device.tag',
    selector,
    (turn, id) => changeDevice(turn, id, { kind: 'tag', set, unset }),
    {
      set,
      unset,
    },
  );
}

export function dropDevice(context: ServiceContext, id: string): Promise<Changed> {
  return context.core.submit((turn) => {
    if (!turn.state.devices.has(id)) throw unknownDevice(id);
    removeDevice(turn, id);
    appendOwnEvent(turn, { deviceId: id, type: 'coordinator.removed', key: '', payload: { by: context.actor } });
    audit(turn, context, 'device.remove', id, {}, [id]);
    return { changed: [id], unchanged: [] };
  });
}

function changeEach(
  context: ServiceContext,
  action: string,
  selector: string,
  change: (turn: Turn, id: string) => boolean,
  detail: Record<string, unknown> = {},
): Promise<Changed> {
  return context.core.submit((turn) => {
    const changed: string[] = [];
    const unchanged: string[] = [];
    for (const id of requireKnown(turn, selector)) (change(turn, id) ? changed : unchanged).push(id);
    for (const id of changed) {
      const type = action.replace('device.', 'coordinator.device-');
      appendOwnEvent(turn, { deviceId: id, type, key: '', payload: { by: context.actor, ...detail } });
    }
    audit(
      turn,
      context,
      action,
      selector,
      { changed: changed.length, unchanged: unchanged.length, ...detail },
      changed,
    );
    return { changed, unchanged };
  });
}
