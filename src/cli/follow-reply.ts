import type { CoordinatorClient } from '../client/coordinator-client.ts';
import { replyTypes, type RequestReply, type SentRequest } from '../client/contract/index.ts';
import { FlotillaError } from '../error.ts';

/** The device has the last word on expiry, and its word takes its way. */
const graceMs = 30_000;

/** Waits for what becomes of a request; when nobody has told by long after its time, that is not known. */
export async function followReply(
  client: Pick<CoordinatorClient, 'followEvents'>,
  { requestId, deviceId, type, expiresAtMs, afterOffset }: SentRequest,
  signal: AbortSignal,
): Promise<RequestReply> {
  const late = AbortSignal.timeout(Math.max(0, expiresAtMs - Date.now()) + graceMs);
  const query = { from: afterOffset + 1, type: '*.reply' };
  for await (const event of client.followEvents(query, AbortSignal.any([signal, late]))) {
    if (event.key !== requestId || event.deviceId !== deviceId) continue;
    if (replyTypes.some((known) => known === event.type)) return event.payload as RequestReply;
  }
  if (late.aborted || signal.aborted) {
    return { requestId, type, outcome: 'unknown', reason: 'the device has not told what became of it' };
  }
  throw new FlotillaError('unreachable', 'follow-ended', 'the coordinator stopped answering before the reply came', {
    seen: `the stream of events ended early`,
    suggestion: `the request goes on: flotilla event tail --from ${afterOffset + 1} --type '*.reply'`,
  });
}
