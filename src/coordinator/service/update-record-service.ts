import type { Receipt, ReceiptTaken, UpdateHistoryQuery, UpdateRecord } from '../../client/contract/update-record.ts';
import { judgeReceipt, keepReceipt } from '../core/update-record-operation.ts';
import { audit, type ServiceContext } from './context.ts';

const defaultListed = 50;

/** The newest first; also of rollouts that are forgotten. */
export async function listUpdates(
  { core }: ServiceContext,
  deviceId: string,
  query: UpdateHistoryQuery,
): Promise<UpdateRecord[]> {
  return (await core.store.updateRecords({ deviceId, limit: defaultListed, ...query })) as UpdateRecord[];
}

/** A receipt that was carried here. It counts once, whichever way it comes and however often. */
export async function takeReceipt(context: ServiceContext, receipt: Receipt): Promise<ReceiptTaken> {
  const { core } = context;
  const { deviceId, event } = await core.submit(({ state }) => judgeReceipt(state, receipt));
  const records = (await core.store.updateRecords({ deviceId, source: 'file', limit: 1_000 })) as UpdateRecord[];
  const known = records.find((each) => each.id === event.rolloutId && each.receipt?.signature === receipt.signature);
  if (known !== undefined) return { outcome: 'known', record: known };
  const record = await core.submit((turn) => {
    const body = judgeReceipt(turn.state, receipt); // what was revoked meanwhile counts no more
    audit(turn, context, 'device.receipt', deviceId, { id: event.rolloutId, state: event.state });
    return keepReceipt(turn, receipt, body, context.actor);
  });
  return { outcome: 'accepted', record };
}
