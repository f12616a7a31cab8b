import type { HealthResult, ReceiptBody } from '../../protocol/event.ts';
import { updateEventOf, type Update } from './update.ts';

export interface ReceiptSubject {
  fleetId: string;
  deviceId: string;
  agentVersion: string;
}

/** What a coordinator takes of a body, with room for the rest of the event. */
const maxBodyBytes = 60_000;

/** What the device signs of an update from a file that has ended. */
export function receiptBodyOf(update: Update, subject: ReceiptSubject, signedAtMs: number): string {
  const { bundle } = update;
  const event = updateEventOf(update);
  const body: ReceiptBody = {
    version: 1,
    ...subject,
    bundle: {
      uuid: bundle.bundleUuid,
      product: bundle.product,
      version: bundle.version,
      sha256: bundle.sha256,
      sizeBytes: bundle.sizeBytes,
    },
    event,
    signedAtMs,
  };
  const text = JSON.stringify(body);
  if (Buffer.byteLength(text) <= maxBodyBytes || event.evidence === undefined) return text;
  const { hooks: _, ...evidence } = event.evidence;
  const brief = { ...evidence, health: evidence.health.map(withoutOutput) };
  return JSON.stringify({ ...body, event: { ...event, evidence: brief } });
}

function withoutOutput({ output: _, ...result }: HealthResult): HealthResult {
  return result;
}
