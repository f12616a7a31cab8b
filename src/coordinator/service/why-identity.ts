/** What stands between the coordinator and a device, whatever is to be rolled out. Each rule is judged by its owner. */
import type { WhyRule } from '../../client/contract/why.ts';
import type { CoreState } from '../core/core-state.ts';
import { isSkewed } from '../identity/judge-clock.ts';
import { judgeAuthority, judgeCertificate, judgeDevice, judgePin, judgeReplaced } from '../identity/judge-connect.ts';
import type { DeviceRow } from '../../store/row.ts';
import { viewFreshness, viewLog } from './view-freshness.ts';

export function* identityRules(
  state: CoreState,
  deviceId: string,
  overlapMs: number,
  nowMs: number,
): Generator<WhyRule> {
  const device = state.devices.get(deviceId);
  for (const { rule, verdict, detail } of judgeDevice(device, deviceId)) yield { rule, verdict, detail };
  if (device === undefined) return;
  const serial = device.serial ?? state.serials.get(deviceId)?.at(-1);
  const certificate = serial === undefined ? undefined : state.certificates.get(serial);
  const issuer = certificate?.issuer ?? device.candidate?.issuer;
  if (issuer !== undefined) {
    const { rule, verdict, detail } = judgeAuthority(state.authorities.get(issuer), issuer);
    yield { rule, verdict, detail };
  }
  if (certificate === undefined) {
    const detail = device.candidate === undefined ? 'none on record' : `${device.candidate.serial} is not on record`;
    yield { rule: 'certificate', verdict: device.candidate === undefined ? 'unknown' : 'blocks', detail };
  } else {
    const judged = judgeCertificate(certificate, { ...certificate, serialHex: certificate.serial }, nowMs);
    yield { rule: 'certificate', verdict: judged.verdict, detail: judged.detail };
    if (certificate.replacedBy !== undefined) {
      const { rule, verdict, detail } = judgeReplaced(certificate, overlapMs, nowMs);
      yield { rule, verdict, detail };
    }
  }
  if (device.pin !== undefined) {
    const { rule, detail } = judgePin(device.pin, device.pin);
    yield { rule, verdict: 'ok', detail };
  }
  if (device.refused !== undefined) {
    const { rule, reason, atMs } = device.refused;
    const isOver = state.live.has(deviceId);
    yield { rule, verdict: isOver ? 'unknown' : 'blocks', detail: `${reason} (${new Date(atMs).toISOString()})` };
  }
  yield* clockRule(device);
  const live = state.live.get(deviceId);
  const since = (ms: number): string => new Date(ms).toISOString();
  if (live !== undefined) {
    yield {
      rule: 'connected',
      verdict: 'ok',
      detail: `since ${since(live.connectedAtMs)} from ${device.address ?? '?'}`,
    };
  } else if (device.sinceMs === undefined) yield { rule: 'connected', verdict: 'blocks', detail: 'never seen' };
  else yield { rule: 'connected', verdict: 'blocks', detail: `away; last seen ${since(device.sinceMs)}` };
}

/** What of the device's own log is not here; it holds no update up, but it may be why something was never told. */
export function* logRules(state: CoreState, deviceId: string, nowMs: number): Generator<WhyRule> {
  const freshness = viewFreshness(state, deviceId, nowMs);
  if (freshness === undefined) return;
  const lag = freshness.lanes.reduce((sum, { lagEvents }) => sum + lagEvents, 0);
  const parts = [`data as of ${new Date(freshness.asOfMs).toISOString()}`, `${lag} events wait on the device`];
  const { missingRows = 0, explainedRows = 0, gapReason } = viewLog(state, deviceId) ?? {};
  if (missingRows > 0) parts.push(`${missingRows} rows never came`);
  if (explainedRows > 0) parts.push(`${explainedRows} were given up there (${gapReason})`);
  yield { rule: 'log', verdict: missingRows > 0 || explainedRows > 0 ? 'unknown' : 'ok', detail: parts.join('; ') };
}

/** A clock that is off holds nothing up by itself; but windows, certificates and what it tells are read by it. */
function* clockRule({ clock }: DeviceRow): Generator<WhyRule> {
  if (clock === undefined) return;
  const { skewMs, source, atMs, refused } = clock;
  const off = `${Math.abs(skewMs) / 1000} s ${skewMs < 0 ? 'behind' : 'ahead of'} the coordinator's`;
  const told = `its clock is ${off}, it goes by ${source} (${new Date(atMs).toISOString()})`;
  yield {
    rule: 'clock',
    verdict: refused === undefined && !isSkewed(skewMs) ? 'ok' : 'unknown',
    detail: refused === undefined ? told : `${told}, and takes no other time: ${refused}`,
  };
}
