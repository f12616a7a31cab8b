import type { CoordinatorStatus } from '../../client/contract/status.ts';
import type { ServiceContext } from './context.ts';
import { viewAlerts } from './view-alert.ts';

export async function showStatus(context: ServiceContext): Promise<CoordinatorStatus> {
  const { core, fleetId, version, listen, blobDirectory } = context;
  const recoveryPort = context.recoveryPort();
  const deadLetters = await core.store.deadLetterDepth();
  return core.submit(({ state }) => {
    const byState: Record<string, number> = {};
    for (const device of state.devices.values()) byState[device.state] = (byState[device.state] ?? 0) + 1;
    const connections = new Map<number, number>();
    for (const { gateway } of state.live.values()) connections.set(gateway, (connections.get(gateway) ?? 0) + 1);
    const lastOffset = state.counters.get('offset') ?? 0;
    return {
      fleetId,
      instanceId: state.instanceId,
      version,
      pid: process.pid,
      startedAtMs: state.startedAtMs,
      listen,
      ...(context.enrollment === undefined ? {} : { enrollment: context.enrollment }),
      ...(recoveryPort === undefined ? {} : { recoveryPort }),
      api: context.apiListen(),
      gateways: context.gatewayPids().map((pid, index) => ({ pid, connections: connections.get(index) ?? 0 })),
      devices: { total: state.devices.size, connected: state.live.size, byState },
      store: { path: core.store.path, events: lastOffset, lastOffset },
      deadLetters,
      ...viewAlerts(state),
      ...(context.gate === undefined ? {} : { connectHook: context.gate.state() }),
      jobs: { running: [...state.jobs.values()].filter(({ document }) => document.state === 'running').length },
      rollouts: { running: [...state.rollouts.values()].filter(({ document }) => document.state === 'running').length },
      blobDirectory,
    };
  });
}
