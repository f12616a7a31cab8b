import type { DoorStatus } from '../../door/index.ts';
import { formatAge, formatBytes, formatTime } from '../human.ts';
import { printable } from '../printable.ts';
import { formatFields, formatTable, type TableOption } from '../table.ts';

const laneNames = ['control', 'alarm', 'state', 'bulk'];

/** The agent's link, its lanes, its schemas, and what is wrong with a schema. */
export function formatAgentStatus(status: DoorStatus, nowMs: number, option: TableOption = {}): string {
  const { link, lanes, schemas, schemaFaults } = status;
  const since = `since ${formatTime(link.sinceMs)} (${formatAge(link.sinceMs, nowMs)})`;
  const head = formatFields({
    agent: status.agentVersion,
    link: `${link.state} ${since}${link.reason === undefined ? '' : `: ${link.reason}`}`,
    pressure: status.pressure,
  });
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
  return `${head}\n${table}${known === '' ? '' : `\n${known}`}${faults === '' ? '' : `\n${faults}`}`;
}
