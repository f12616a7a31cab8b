import type { Action } from './action.ts';
import { cancelStep, runStep, takesRule } from './step.ts';
import { rule } from './rule.ts';

/**
 * A new key and a certificate for it. No word of the device counts: it has done it when it is connected with another
 * certificate than it had at the offer, one that was issued since, in a session that has begun since.
 */
export const certificateAction: Action = {
  fits: () => [],
  ready(asking) {
    const { document, target, facts } = asking;
    const held = facts.certificate(target.deviceId);
    const isNew = held !== undefined && held.issuedAtMs >= document.startedAtMs;
    const age = rule('certificate-age', isNew ? 'already' : 'ok', () => {
      if (held === undefined) return 'its certificate is on no record';
      const since = `issued ${new Date(held.issuedAtMs).toISOString()}`;
      return isNew
        ? `has had a new certificate since the rollout began: ${held.serial}, ${since}`
        : `${held.serial}, ${since}`;
    });
    return [age, takesRule(asking, 'certificate.renew')];
  },
  notes: () => [],
  ask(asking) {
    const serial = asking.facts.certificate(asking.target.deviceId)?.serial;
    return { kept: serial === undefined ? {} : { serialAtOffer: serial }, effects: [runStep(asking)] };
  },
  observe({ target, facts }) {
    const held = facts.certificate(target.deviceId);
    const offeredMs = target.entered?.offered ?? target.sinceMs;
    if (held === undefined || held.serial === target.serialAtOffer) return undefined;
    if (held.issuedAtMs < offeredMs || held.connectedAtMs < held.issuedAtMs) return undefined;
    const { serial, issuedAtMs, connectedAtMs } = held;
    const replaces = target.serialAtOffer === undefined ? {} : { replaces: target.serialAtOffer };
    return { state: 'committed', proof: { kind: 'certificate', serial, ...replaces, issuedAtMs, connectedAtMs } };
  },
  cancel: (asking) => [cancelStep(asking)],
};
