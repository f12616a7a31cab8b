import type { DeltaOffer } from '../../protocol/request.ts';
import type { Action, Asking } from './action.ts';
import { conductOf } from './conduct.ts';
import { revertedRule } from './reverted-rule.ts';
import { rule } from './rule.ts';

/** Brings a bundle. What the device says of it is judged in apply-update.ts, its success by the evidence of a restart. */
export const firmwareAction: Action = {
  fits: (asking) => [revertedRule(asking, asking.document.bundle!.bundleUuid)],
  ready({ document, target: { deviceId }, facts }) {
    const { bundleUuid } = document.bundle!;
    const runs = facts.running(deviceId)?.bundleUuid;
    const running = rule('running', runs === bundleUuid ? 'already' : 'ok', () =>
      runs === bundleUuid ? `already runs ${bundleUuid}` : `runs ${runs ?? 'an unknown bundle'}`,
    );
    if (conductOf(document.policy) === undefined) return [running];
    const heeds = facts.takesConduct(deviceId);
    const conduct = rule('conduct', heeds ? 'ok' : 'cancel', () =>
      heeds
        ? 'its agent heeds windows, approval and bandwidth of the policy'
        : 'its agent does not know of install windows, approval or bandwidth: update the agent first',
    );
    return [running, conduct];
  },
  notes(asking) {
    const delta = deltaOf(asking);
    const { sizeBytes } = asking.document.bundle!;
    return [
      rule('delta', 'ok', () =>
        delta === undefined
          ? `no delta for what it runs: the whole ${sizeBytes} bytes are offered`
          : `a delta of ${delta.sizeBytes} instead of ${sizeBytes} bytes`,
      ),
    ];
  },
  ask(asking) {
    const { document, target, facts, nowMs } = asking;
    const bundle = document.bundle!;
    const { id, policy } = document;
    const { deviceId, retries } = target;
    const bootIdAtOffer = facts.running(deviceId)?.bootId;
    const delta = deltaOf(asking);
    const expiresAtMs = nowMs + policy.deadlineSeconds * 1000;
    const conduct = conductOf(policy);
    const payload = {
      rolloutId: id,
      bundle,
      ...(delta === undefined ? {} : { delta }),
      expiresAtMs,
      ...(conduct === undefined ? {} : { conduct }),
      // Else the device answers with what became of the offer before.
      ...(retries === undefined ? {} : { attempt: retries + 1 }),
    };
    return {
      kept: {
        ...(delta === undefined ? {} : { deltaSha256: delta.sha256 }),
        ...(bootIdAtOffer === undefined ? {} : { bootIdAtOffer }),
      },
      effects: [
        ...[bundle, ...(delta === undefined ? [] : [delta])].map(
          ({ sha256 }) => ({ kind: 'grant', deviceId, sha256 }) as const,
        ),
        { kind: 'request', deviceId, request: { type: 'update.offer', key: id, payload, expiresAtMs } },
      ],
    };
  },
  observe: () => undefined,
  cancel({ document: { id, policy }, target: { deviceId }, reason, nowMs }) {
    const payload = { rolloutId: id, reason: reason.slice(0, 256) };
    const expiresAtMs = nowMs + policy.deadlineSeconds * 1000;
    return [
      { kind: 'withdraw', deviceId, type: 'update.offer', key: id },
      { kind: 'request', deviceId, request: { type: 'update.cancel', key: id, payload, expiresAtMs } },
    ];
  },
};

function deltaOf({ document: { bundle }, target, facts }: Asking): DeltaOffer | undefined {
  const from = facts.running(target.deviceId)?.bundleUuid;
  return from === undefined ? undefined : facts.delta(bundle!.bundleUuid, from);
}
