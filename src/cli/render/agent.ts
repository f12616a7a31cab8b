import type { DoorStatus } from '../../door/index.ts';
import { formatAge, formatBytes, formatDuration, formatTime } from '../human.ts';
import { printable } from '../printable.ts';
import { formatFields, formatTable, type TableOption } from '../table.ts';

const clockTexts = {
  rtc: "the machine's own",
  signed: 'signed time',
  floor: 'only the last time that is known',
} as const;

/** "signed time; the machine's own is 4d3h behind". */
function formatClock(clock: DoorStatus['clock']): string | undefined {
  if (clock === undefined) return undefined;
  const { source, skewSeconds = 0 } = clock;
  if (skewSeconds === 0) return clockTexts[source];
  const size = formatDuration(Math.abs(skewSeconds) * 1_000);
  return `${clockTexts[source]}; the machine's own is ${size} ${skewSeconds < 0 ? 'behind' : 'ahead'}`;
}

const laneNames = ['control', 'alarm', 'state', 'bulk'];

/** What the machine says of the agent, beside what it says of itself. */
type ShownStatus = DoorStatus & {
  identity?: { deviceId: string; fleetId: string; notAfterMs: number };
  service?: { state: string; init: string };
};

/** The agent's link, its lanes, its schemas, and what is wrong with a schema. */
export function formatAgentStatus(status: ShownStatus, nowMs: number, option: TableOption = {}): string {
  const { link, lanes, schemas, schemaFaults, update, identity, service } = status;
  const since = `since ${formatTime(link.sinceMs)} (${formatAge(link.sinceMs, nowMs)})`;
  const head = formatFields({
    agent: status.agentVersion,
    link: `${link.state} ${since}${link.reason === undefined ? '' : `: ${link.reason}`}`,
    clock: formatClock(status.clock),
    pressure: status.pressure,
    ...(update === undefined
      ? {}
      : {
          update: `${update.version} ${update.state} since ${formatTime(update.sinceMs)}${update.wait === undefined ? '' : `, waits: ${update.wait}`}${update.reason === undefined ? '' : `: ${update.reason}`}`,
        }),
    ...(identity === undefined
      ? {}
      : {
          device: `${identity.deviceId} of ${identity.fleetId}, certificate until ${formatTime(identity.notAfterMs)}`,
        }),
    ...(service === undefined
      ? {}
      : { service: service.state === 'not-installed' ? 'not installed' : `${service.state}, by ${service.init}` }),
  });
  const reverted = (status.revertedBundles ?? []).map(
    ({ version, bundleUuid, atMs, reason }) =>
      `went back from ${printable(version)} (bundle ${bundleUuid}) at ${formatTime(atMs)}: ${printable(reason)}\n`,
  );
  const table = formatTable(
    lanes,
    [
      { title: 'LANE', value: ({ lane }) => laneNames[lane] ?? lane },
      { title: 'NEXT', value: ({ nextSeq }) => nextSeq, align: 'right' },
      { title: 'ACKED', value: ({ ackedSeq }) => ackedSeq, align: 'right' },
      { title: 'WAITING', value: ({ waitingRows }) => waitingRows, align: 'right' },
      { title: 'BYTES', value: ({ waitingBytes }) => formatBytes(waitingBytes), align: 'right' },
    ],
    option,
  );
  const known = schemas.map(({ type, fingerprint }) => `${printable(type)}  ${fingerprint}\n`).join('');
  const faults = schemaFaults.map(({ file, reason }) => `! ${printable(`${file}: ${reason}`)}\n`).join('');
  return `${head}${reverted.join('')}\n${table}${known === '' ? '' : `\n${known}`}${faults === '' ? '' : `\n${faults}`}`;
}
