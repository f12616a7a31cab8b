import type { ConfigRequest, ConfigResolve, ConfigSetResult, ConfigView } from '../../client/contract/config.ts';
import { FlotillaError } from '../../error.ts';
import type { ConfigDocument } from '../config/config-document.ts';
import { differingPaths } from '../config/merge-document.ts';
import { summarizeConfig, viewConfig } from '../config/view-config.ts';
import type { CoreState } from '../core/core-state.ts';
import { stepConfig } from '../core/config-operation.ts';
import { settle } from '../core/settle.ts';
import type { Turn } from '../core/turn.ts';
import { requireSize } from '../job/plan-job.ts';
import { audit, type ServiceContext } from './context.ts';
import { unknownDevice } from './device-service.ts';
import { requireDocument } from './require-document.ts';
import { countAccepted, matchAccepted } from './target.ts';

/** Thrown to undo a dry run; never leaves this file. */
class DryRun extends Error {
  readonly results: ConfigSetResult[];

  constructor(results: ConfigSetResult[]) {
    super('dry run');
    this.results = results;
  }
}

/** The same document for every device that matches; each makes of it what fits with its own changes. */
export async function setConfig(context: ServiceContext, request: ConfigRequest): Promise<ConfigSetResult[]> {
  const { selector, name, document } = request;
  requireDocument(document);
  const set = (turn: Turn): ConfigSetResult[] => {
    const ids = matchAccepted(turn, selector);
    requireSize('config', request, ids.length, countAccepted(turn.state), context.jobs.confirmAboveShare);
    for (const id of ids) stepConfig(turn, id, name, { kind: 'set', document, by: context.actor });
    settle(turn);
    const results = ids.map((id) => resultOf(turn.state, id, name));
    if (request.dryRun === true) throw new DryRun(results);
    audit(turn, context, 'config.set', name, { selector, document }, ids);
    return results;
  };
  try {
    return await context.core.submit(set);
  } catch (error) {
    if (error instanceof DryRun) return error.results;
    throw error;
  }
}

export function listConfigs({ core }: ServiceContext, deviceId: string): Promise<ConfigView[]> {
  return core.submit(({ state }) => {
    if (!state.devices.has(deviceId)) throw unknownDevice(deviceId);
    return [...(state.configs.get(deviceId)?.keys() ?? [])].toSorted().map((name) => viewOf(state, deviceId, name));
  });
}

export function showConfig({ core }: ServiceContext, deviceId: string, name: string): Promise<ConfigView> {
  return core.submit(({ state }) => viewOf(state, deviceId, name));
}

/** An operator who has seen both sides decides; goes out as a new version that the device takes over its own changes. */
export function resolveConfig(
  context: ServiceContext,
  deviceId: string,
  name: string,
  { take, document }: ConfigResolve,
): Promise<ConfigView> {
  if (take === 'document') requireDocument(document);
  return context.core.submit((turn) => {
    const config = find(turn.state, deviceId, name);
    const side = take === 'document' ? { document } : config[take];
    if (side === undefined) {
      throw new FlotillaError('usage', 'config-no-side', `there is no ${take} document ${name} of ${deviceId}`, {
        suggestion: `flotilla device config get ${deviceId} ${name}`,
      });
    }
    stepConfig(turn, deviceId, name, { kind: 'resolve', document: side.document, by: context.actor });
    settle(turn);
    audit(turn, context, 'config.resolve', `${deviceId} ${name}`, { take, document: side.document }, [deviceId]);
    return viewOf(turn.state, deviceId, name);
  });
}

function find(state: CoreState, deviceId: string, name: string): ConfigDocument {
  if (!state.devices.has(deviceId)) throw unknownDevice(deviceId);
  const config = state.configs.get(deviceId)?.get(name);
  if (config !== undefined) return config;
  const known = [...(state.configs.get(deviceId)?.keys() ?? [])];
  throw new FlotillaError('usage', 'config-unknown', `device ${deviceId} has no document ${name}`, {
    seen: known.length === 0 ? 'no documents' : known.slice(0, 20).join(', '),
    suggestion: `flotilla device config set ${deviceId} ${name} FILE`,
  });
}

function viewOf(state: CoreState, deviceId: string, name: string): ConfigView {
  return viewConfig(find(state, deviceId, name), state.outboxes.get(deviceId) ?? [], state.devices.get(deviceId)!);
}

function resultOf(state: CoreState, deviceId: string, name: string): ConfigSetResult {
  const config = find(state, deviceId, name);
  const { given, document, version } = config.desired!;
  const summary = summarizeConfig(config, state.outboxes.get(deviceId) ?? [], state.devices.get(deviceId)!);
  return {
    deviceId,
    name,
    state: summary.state,
    version,
    kept: config.contest === undefined ? differingPaths(given, document) : [],
    conflicts: config.contest?.conflicts.map(({ path }) => path) ?? [],
    ...(summary.reason === undefined ? {} : { reason: summary.reason }),
  };
}
