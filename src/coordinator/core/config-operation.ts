import { FlotillaError } from '../../error.ts';
import type { ConfigDesired } from '../../protocol/request.ts';
import type { RequestRow } from '../../store/row.ts';
import { configFate } from '../config/config-fate.ts';
import { isUnderWay, newConfig, type ConfigDocument } from '../config/config-document.ts';
import { isTooDeep, maxDepth } from '../config/merge-document.ts';
import { reduceConfig, type ConfigInput } from '../config/reduce-config.ts';
import type { Effect } from '../effect.ts';
import { stepJob } from './job-operation.ts';
import type { Turn } from './turn.ts';

/** Documents of one device. */
const maxNames = 64;

/** @throws FlotillaError when the document can't be kept */
export function stepConfig(turn: Turn, deviceId: string, name: string, input: ConfigInput): void {
  const { configs, devices } = turn.state;
  if (!devices.has(deviceId)) return;
  const known = configs.get(deviceId) ?? new Map<string, ConfigDocument>();
  const before = known.get(name) ?? newConfig(deviceId, name);
  if (!known.has(name) && known.size >= maxNames) {
    throw new FlotillaError('refused', 'config-too-many', `device ${deviceId} has ${known.size} documents`, {
      expected: `at most ${maxNames}`,
    });
  }
  requireFlat(input);
  const { state, effects } = reduceConfig(before, input, turn.nowMs);
  turn.effects.push(...effects);
  if (state === before) return;
  turn.set(configs, deviceId, new Map(known).set(name, state));
  turn.write({ kind: 'config', config: { deviceId, name, document: state } });
  turn.notify({ kind: 'device', id: deviceId });
  tellJobs(turn, state);
}

/** A job sets it; what can't be kept is the end of that device in the job. */
export function setConfigOfJob(
  turn: Turn,
  { deviceId, jobId, name, document, by }: Extract<Effect, { kind: 'set-config' }>,
): void {
  try {
    stepConfig(turn, deviceId, name, { kind: 'set', document, by, jobId });
  } catch (error) {
    if (!(error instanceof FlotillaError)) throw error;
    stepJob(turn, jobId, { kind: 'config', deviceId, fate: { outcome: 'failed', reason: error.message } });
  }
}

/** Jobs that wait for what becomes of it on this device. */
function tellJobs(turn: Turn, config: ConfigDocument): void {
  const { deviceId, name } = config;
  for (const [id, { document, index }] of turn.state.jobs) {
    const { action, state } = document;
    if (state !== 'running' || action.kind !== 'config' || action.name !== name || !index.has(deviceId)) continue;
    const fate = configFate(config, id);
    if (fate !== undefined) stepJob(turn, id, { kind: 'config', deviceId, fate });
  }
}

/** The device has committed a desired version. */
export function deliveredConfig(turn: Turn, { deviceId, key, payload }: RequestRow): void {
  const { version } = JSON.parse(payload) as ConfigDesired;
  stepConfig(turn, deviceId, key, { kind: 'delivered', version });
}

/** The device is another one, or an empty one, under the same name. */
export function loseConfigs(turn: Turn, deviceId: string): void {
  for (const name of namesOf(turn, deviceId)) stepConfig(turn, deviceId, name, { kind: 'history-lost' });
}

/** What is under way, was not delivered and is in no outbox any more. */
export function resendConfigs(turn: Turn, deviceId: string): void {
  const queued = new Set(
    (turn.state.outboxes.get(deviceId) ?? []).filter(({ type }) => type === 'config.desired').map(({ key }) => key),
  );
  for (const effect of turn.effects) {
    if (effect.kind === 'request' && effect.deviceId === deviceId) queued.add(effect.request.key); // in a moment
  }
  for (const [name, config] of turn.state.configs.get(deviceId) ?? []) {
    const delivered = config.desired !== undefined && config.deliveredVersion >= config.desired.version;
    if (isUnderWay(config) && !delivered && !queued.has(name)) stepConfig(turn, deviceId, name, { kind: 'resend' });
  }
}

function namesOf(turn: Turn, deviceId: string): string[] {
  return [...(turn.state.configs.get(deviceId)?.keys() ?? [])];
}

function requireFlat(input: ConfigInput): void {
  const document = input.kind === 'report' ? input.event.document : 'document' in input ? input.document : undefined;
  if (!isTooDeep(document)) return;
  throw new FlotillaError('usage', 'config-too-deep', 'a document with too many objects and lists in each other', {
    expected: `at most ${maxDepth}`,
  });
}
