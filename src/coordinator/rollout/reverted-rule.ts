import type { Asking } from './action.ts';
import { rule, type OfferRule } from './rule.ts';

export function revertedRule({ target: { deviceId }, facts }: Asking, bundleUuid: string): OfferRule {
  const reverted = facts.hasReverted(deviceId, bundleUuid);
  return rule('quarantine', reverted ? 'reject' : 'ok', () =>
    reverted
      ? `the device has reverted bundle ${bundleUuid} before; flotilla device allow-bundle ${deviceId} ${bundleUuid} lets it try again`
      : `never reverted bundle ${bundleUuid}`,
  );
}
