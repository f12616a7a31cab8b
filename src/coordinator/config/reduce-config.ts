/**
 * One document of settings of one device. Pure: `(document, input, now) → (document, effects)`. Changes of both sides
 * in different places are merged and go out as a new desired version; in the same place they are a conflict, and then
 * nothing goes out until it is resolved.
 */
import type { ConfigEvent } from '../../protocol/event.ts';
import type { Effect, Reduced } from '../effect.ts';
import { isRejected, isTakenUp, isUnderWay, type ConfigDocument, type ReportedDocument } from './config-document.ts';
import { mergeDocuments, type Merged } from './merge-document.ts';

export type ConfigInput =
  /** An operator wants the document to be so. */
  | { kind: 'set'; document: unknown; by: string; jobId?: string }
  /** An operator decides, whatever either side had. */
  | { kind: 'resolve'; document: unknown; by: string }
  | { kind: 'report'; event: ConfigEvent }
  /** The device has committed this desired version. */
  | { kind: 'delivered'; version: number }
  /** The device was wiped or replaced: what it had is gone. */
  | { kind: 'history-lost' }
  /** What is under way is in no outbox any more (it expired): send it again. */
  | { kind: 'resend' };

/** How long a request waits for the device; a device that comes later is sent the document anew. */
const expiresMs = 30 * 86_400_000;
const maxOutstanding = 16;

export function reduceConfig(config: ConfigDocument, input: ConfigInput, nowMs: number): Reduced<ConfigDocument> {
  switch (input.kind) {
    case 'set':
      return set(config, input, nowMs);
    case 'resolve':
      return decide(config, input, nowMs);
    case 'report':
      return report(config, input.event, nowMs);
    case 'delivered':
      if (input.version <= config.deliveredVersion) return { state: config, effects: [] };
      return { state: { ...config, deliveredVersion: input.version }, effects: [] };
    case 'history-lost':
      return startOver(withoutHistory(config), 0, nowMs);
    case 'resend':
      return isUnderWay(config)
        ? { state: config, effects: [requestOf(config, nowMs)] }
        : { state: config, effects: [] };
  }
}

type Given = { document: unknown; by: string; jobId?: string };

function set(config: ConfigDocument, { document, by, jobId }: Given, nowMs: number): Reduced<ConfigDocument> {
  const { desired, reported, contest } = config;
  const next: ConfigDocument = {
    ...config,
    desired: {
      version: nextVersion(config),
      document,
      given: document,
      baseRevision: reported?.revision ?? 0,
      setAtMs: nowMs,
      setBy: by,
      ...(jobId === undefined ? {} : { jobId }),
    },
  };
  if (desired === undefined) {
    // What the device had told was there to be seen.
    return send(reported === undefined ? next : { ...next, base: reported.document }, nowMs);
  }
  if (contest !== undefined) return join(next, contest, nowMs);
  // The device never had the rejected one: its own document is what it is.
  if (isRejected(config)) return join(next, { base: config.base, theirs: reported!.document }, nowMs);
  const theirs = isTakenUp(config) ? reported!.document : desired.document;
  return join(next, { base: desired.given, theirs }, nowMs);
}

/** The operator has seen both sides: nothing of the device's is kept that is not in the document. */
function decide(config: ConfigDocument, { document, by }: Given, nowMs: number): Reduced<ConfigDocument> {
  const { contest: _, ...rest } = config;
  const { reported } = config;
  const version = nextVersion(config);
  const baseRevision = reported?.revision ?? 0;
  const next = { version, document, given: document, baseRevision, setAtMs: nowMs, setBy: by };
  return send({ ...rest, ...(reported === undefined ? {} : { base: reported.document }), desired: next }, nowMs);
}

function report(config: ConfigDocument, event: ConfigEvent, nowMs: number): Reduced<ConfigDocument> {
  const before = config.reported;
  const { desired, contest } = config;
  const next = told(config, event, nowMs);
  if (desired === undefined) return { state: next, effects: [] };
  const isSetBack = event.state !== 'rejected' && event.desiredVersion < config.takenVersion;
  if (isSetBack || (before !== undefined && event.revision < before.revision)) {
    // Set back or wiped: what it has is no change that somebody made.
    return startOver({ ...withoutHistory(next), reported: next.reported! }, event.revision, nowMs);
  }
  if (contest !== undefined) {
    const theirs = mergeDocuments(before?.document, contest.theirs, next.reported!.document).document;
    return join(next, { base: contest.base, theirs }, nowMs);
  }
  if (isTakenUp(next)) return { state: { ...next, base: agreedOn(next), outstanding: [] }, effects: [] };
  const isChange = event.state === 'local' && event.revision > desired.baseRevision;
  if (!isChange || isRejected(next)) return { state: next, effects: [] };
  const renewed = { ...next, desired: { ...desired, version: nextVersion(next), baseRevision: event.revision } };
  return join(renewed, { base: ancestorOf(config, event), theirs: event.document }, nowMs);
}

/** With what the device says of itself. */
function told(config: ConfigDocument, event: ConfigEvent, nowMs: number): ConfigDocument {
  const { revision, document, desiredVersion, state, reason } = event;
  const why = reason === undefined ? {} : { reason };
  const reported: ReportedDocument = {
    revision,
    ...(revision === 0 ? {} : { document }),
    desiredVersion,
    state,
    ...why,
    atMs: nowMs,
  };
  if (state === 'rejected') return { ...config, reported, rejection: { version: desiredVersion, ...why } };
  return { ...config, reported, takenVersion: desiredVersion };
}

function withoutHistory(config: ConfigDocument): ConfigDocument {
  const { base: _, reported: __, rejection: ___, contest: ____, ...rest } = config;
  return { ...rest, outstanding: [], deliveredVersion: 0, takenVersion: 0 };
}

/** Never one that the device may know with another document, not even after our database was set back. */
function nextVersion({ desired, takenVersion, rejection }: ConfigDocument): number {
  return Math.max(desired?.version ?? 0, takenVersion, rejection?.version ?? 0) + 1;
}

/** What the device has taken up: its own word, or ours when it has changed that since. */
function agreedOn({ desired, reported }: ConfigDocument): unknown {
  return reported!.state === 'applied' ? reported!.document : desired!.document;
}

/** What the device's changes come from: the desired version that it says, or what it reported before. */
function ancestorOf({ outstanding, takenVersion, reported: before }: ConfigDocument, event: ConfigEvent): unknown {
  if (before !== undefined && takenVersion >= event.desiredVersion) return before.document;
  return outstanding.find(({ version }) => version === event.desiredVersion)?.document ?? before?.document;
}

/** Brings the two sides together: sends what becomes of it, or tells where they contradict each other. */
function join(
  config: ConfigDocument,
  { base, theirs }: { base?: unknown; theirs: unknown },
  nowMs: number,
): Reduced<ConfigDocument> {
  const { contest: before, desired, reported, ...rest } = config;
  const merged: Merged = mergeDocuments(base, desired!.document, theirs);
  if (merged.conflicts.length === 0) {
    const next = { ...desired!, document: merged.document, baseRevision: reported?.revision ?? 0 };
    return send(
      { ...rest, ...(reported === undefined ? {} : { base: reported.document, reported }), desired: next },
      nowMs,
    );
  }
  const { conflicts } = merged;
  const contest = { ...(base === undefined ? {} : { base }), theirs, conflicts };
  const { deviceId, name } = config;
  const effects: Effect[] = [{ kind: 'withdraw', deviceId, type: 'config.desired', key: name }];
  const paths = conflicts.map(({ path }) => path);
  if (String(paths) !== String(before?.conflicts.map(({ path }) => path))) {
    const payload = { name, paths, version: desired!.version, revision: reported?.revision ?? 0 };
    effects.push({ kind: 'event', deviceId, type: 'coordinator.config-conflict', key: name, payload });
  }
  return { state: { ...config, contest }, effects };
}

/** The device has no history with us: it is sent what is wanted, as a version that it has never heard of. */
function startOver(config: ConfigDocument, baseRevision: number, nowMs: number): Reduced<ConfigDocument> {
  const { contest: _, desired, ...rest } = config;
  if (desired === undefined) return { state: config, effects: [] };
  return send({ ...rest, desired: { ...desired, version: nextVersion(config), baseRevision } }, nowMs);
}

/** A newer version takes the place of one that was not sent yet. */
function send(config: ConfigDocument, nowMs: number): Reduced<ConfigDocument> {
  const { deviceId, name, desired } = config;
  const { version, document } = desired!;
  const outstanding = [...config.outstanding, { version, document }].slice(-maxOutstanding);
  const state = { ...config, outstanding };
  return {
    state,
    effects: [{ kind: 'withdraw', deviceId, type: 'config.desired', key: name }, requestOf(state, nowMs)],
  };
}

function requestOf({ deviceId, name, desired }: ConfigDocument, nowMs: number): Effect {
  const { version, baseRevision, document } = desired!;
  const payload = { name, version, baseRevision, document };
  return {
    kind: 'request',
    deviceId,
    request: { type: 'config.desired', key: name, payload, expiresAtMs: nowMs + expiresMs },
  };
}
