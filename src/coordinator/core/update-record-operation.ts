/** The history of updates: each that has ended, once, with what proves it; kept when its rollout is forgotten. */
import { Compile } from 'typebox/compile';
import { updateResults, type UpdateRecord } from '../../client/contract/update-record.ts';
import { FlotillaError } from '../../error.ts';
import { receiptSigner, verifyUpdateReceipt, type UpdateReceipt } from '../../pki/update-receipt.ts';
import { ReceiptBodySchema, type ReceiptBody, type ReceiptEvent, type UpdateEvent } from '../../protocol/event.ts';
import { judgeProgramEvidence } from '../rollout/judge-program-evidence.ts';
import { judgeEvidence, type EvidenceQuestion } from '../rollout/judge-evidence.ts';
import { deviceOf } from '../rollout/rollout-state.ts';
import type { CoreState } from './core-state.ts';
import { appendOwnEvent } from './event-operation.ts';
import type { Turn } from './turn.ts';

const results: ReadonlySet<string> = new Set(updateResults);
const bodySchema = Compile(ReceiptBodySchema);

/** What a device tells of an update over its own link. */
export function noteUpdate(turn: Turn, deviceId: string, event: UpdateEvent): void {
  if (!results.has(event.state)) return;
  const { rollouts, releases, devices } = turn.state;
  const rollout = rollouts.get(event.rolloutId);
  const bootIdAtOffer = rollout && deviceOf(rollout, deviceId)?.bootIdAtOffer;
  const lastBoot = devices.get(deviceId)?.running;
  const known = [...releases.values()].find(({ release }) => release.bundleUuid === event.bundleUuid)?.release;
  keep(turn, event, {
    ...recordOf(turn.nowMs, deviceId, event, { bootIdAtOffer, lastBoot }),
    ...(known === undefined ? {} : { product: known.product, version: known.version }),
  });
}

/** A receipt that came over the link of a device. One that does not hold is told, and changes nothing. */
export function takeSentReceipt(turn: Turn, deviceId: string, { receipt }: ReceiptEvent): void {
  try {
    const body = judgeReceipt(turn.state, receipt);
    if (body.deviceId !== deviceId) throw foreign(`a receipt of ${body.deviceId}`, deviceId);
    keepReceipt(turn, receipt, body, 'link');
  } catch (error) {
    if (!(error instanceof FlotillaError)) throw error;
    const payload = { code: error.code, reason: error.message.slice(0, 256) };
    appendOwnEvent(turn, { deviceId, type: 'coordinator.receipt-refused', key: error.code, payload });
  }
}

/** What a receipt says, if the registry knows the certificate that it is signed with. @throws FlotillaError `receipt-*` */
export function judgeReceipt(state: CoreState, receipt: UpdateReceipt): ReceiptBody {
  // 1. Its certificate is one that this fleet has issued, and has not taken back.
  const { serial, fingerprintSha256 } = receiptSigner(receipt);
  const certificate = state.certificates.get(serial);
  if (certificate?.fingerprintSha256.toLowerCase() !== fingerprintSha256) {
    const message = 'the receipt is signed with a certificate that this fleet never issued';
    throw new FlotillaError('refused', 'receipt-foreign', message, {
      seen: `serial ${serial}`,
      expected: 'the certificate of one of its devices: flotilla cert list',
    });
  }
  if (certificate.revokedAtMs !== undefined) {
    throw new FlotillaError('refused', 'receipt-revoked', 'the receipt is signed with a certificate that is revoked', {
      seen: `serial ${serial} of ${certificate.deviceId}, ${certificate.revocationReason ?? 'no reason given'}`,
    });
  }
  // 2. Its text is what that key has signed.
  verifyUpdateReceipt(receipt);
  // 3. It is of that device and of this fleet, and tells how an update ended.
  const body = readBody(receipt.body);
  if (body.fleetId !== state.fleetId) throw foreign(`a receipt of the fleet ${body.fleetId}`, state.fleetId);
  if (body.deviceId !== certificate.deviceId) {
    throw foreign(`a receipt of ${body.deviceId}, signed by ${certificate.deviceId}`, certificate.deviceId);
  }
  if (!state.devices.has(body.deviceId)) {
    throw new FlotillaError('refused', 'receipt-device-unknown', 'the device of this receipt is not in the registry', {
      seen: body.deviceId,
    });
  }
  return body;
}

export function keepReceipt(turn: Turn, receipt: UpdateReceipt, body: ReceiptBody, by: string): UpdateRecord {
  const { deviceId, event, bundle } = body;
  const { serial } = receiptSigner(receipt);
  const record: UpdateRecord = {
    // What the registry has seen of the device since says nothing about a time at which nobody saw it.
    ...recordOf(turn.nowMs, deviceId, event, { bootIdAtOffer: undefined, lastBoot: event.evidence?.after }),
    product: bundle.product,
    version: bundle.version,
    receipt: { serial, signature: receipt.signature, by },
  };
  keep(turn, event, record);
  return record;
}

function recordOf(
  nowMs: number,
  deviceId: string,
  event: UpdateEvent,
  facts: Pick<EvidenceQuestion, 'bootIdAtOffer' | 'lastBoot'>,
): UpdateRecord {
  const { evidence, bundleUuid, reason } = event;
  const judge = () =>
    event.source === 'agent'
      ? judgeProgramEvidence(evidence, bundleUuid)
      : judgeEvidence({ evidence, bundleUuid, ...facts });
  const verdict = event.state === 'committed' ? judge() : ({ proven: true } as const);
  const why = verdict.proven ? reason : { code: 'evidence-insufficient', message: verdict.message };
  const from = evidence?.before.version;
  return {
    deviceId,
    id: event.rolloutId,
    source: event.source ?? 'rollout',
    state: verdict.proven ? (event.state as UpdateRecord['state']) : 'failed',
    endedAtMs: Math.round(evidence?.decidedAtMs ?? nowMs),
    recordedAtMs: nowMs,
    bundleUuid,
    ...(from === undefined ? {} : { fromVersion: from }),
    ...(why === undefined ? {} : { reason: why }),
    ...(evidence === undefined ? {} : { evidence }),
  };
}

/** By what the device says of the end, so that the same end is one row however often it is told. */
function keep(turn: Turn, { evidence }: UpdateEvent, document: UpdateRecord): void {
  const { deviceId, id } = document;
  // A refused offer has no such time, and may come as often as it likes: it is one row.
  const endedAtMs = evidence?.decidedAtMs === undefined ? 0 : document.endedAtMs;
  turn.write({ kind: 'update-record', record: { deviceId, id, endedAtMs, document } });
}

function readBody(text: string): ReceiptBody {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  if (bodySchema.Check(body) && results.has(body.event.state) && body.event.source === 'file') return body;
  throw new FlotillaError('refused', 'receipt-malformed', 'the receipt does not say how an update from a file ended', {
    seen: text.slice(0, 80),
    expected: 'a receipt of a version that this coordinator knows',
  });
}

function foreign(seen: string, expected: string): FlotillaError {
  return new FlotillaError('refused', 'receipt-foreign', 'the receipt is of another device', { seen, expected });
}
