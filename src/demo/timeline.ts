/** The story in one order: what was typed, what devices told, what boards did by themselves. Times are one machine's clock. */
import type { StoredEvent } from '../client/contract/index.ts';
import type { BoardRecord } from '../board/index.ts';
import type { UpdateEvent } from '../protocol/event.ts';
import type { Moment, PowerCut } from './demo-report.ts';
import type { Typed } from './demo-cli.ts';

export interface Source {
  typed: readonly Typed[];
  events: readonly StoredEvent[];
  boards: ReadonlyMap<string, readonly BoardRecord[]>;
  cuts: readonly PowerCut[];
  /** Version by bundle UUID. */
  versions: ReadonlyMap<string, string>;
}

export function timelineOf({ typed, events, boards, cuts, versions }: Source): Moment[] {
  const version = (uuid: string | undefined): string => versions.get(uuid ?? '') ?? uuid ?? 'nothing';
  const moments: Moment[] = typed.map(({ atMs, text }) => ({ atMs, text: `$ ${text}` }));
  const told = new Map<string, string>(); // each step of a download is an event; the first says enough
  for (const { deviceId, type, timestampMs, payload } of events) {
    if (type !== 'flotilla.update') continue;
    const { state, bundleUuid, reason, attempt } = payload as UpdateEvent;
    const again = attempt > 1 ? `, entered ${attempt} times` : '';
    const why = reason === undefined ? '' : `: ${reason.message}`;
    const text = `${version(bundleUuid)} ${state}${again}${why}`;
    if (told.get(deviceId) !== text) moments.push({ atMs: timestampMs, deviceId, text });
    told.set(deviceId, text);
  }
  for (const [deviceId, records] of boards) {
    for (const record of records) {
      if (record.event === 'boot') {
        moments.push({
          atMs: record.timeMs,
          deviceId,
          text: `boot ${record.bootId.slice(0, 8)} (${record.why}): slot ${record.slot}, ${version(record.uuid)}`,
        });
      } else if (record.event === 'fallback') {
        moments.push({ atMs: record.timeMs, deviceId, text: `boot loader gives up slot ${record.from}` });
      } else if (record.event === 'watchdog-reset') {
        moments.push({ atMs: record.timeMs, deviceId, text: `watchdog reset after ${record.silentMs} ms of silence` });
      }
    }
  }
  for (const { atMs, deviceId, phase, haveBytes, sizeBytes } of cuts) {
    const of = phase === 'download' ? 'of the bundle there' : 'of the slot written';
    const share = ` with ${Math.round((100 * haveBytes) / sizeBytes)} % ${of}`;
    moments.push({ atMs, deviceId, text: `POWER CUT in mid-${phase}${share}` });
  }
  return moments.sort((left, right) => left.atMs - right.atMs);
}
