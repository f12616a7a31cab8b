import type { FirmwareDiff } from '../../firmware/index.ts';
import { formatBytes } from '../human.ts';
import { paint, styleOfState } from '../paint.ts';
import { printable } from '../printable.ts';
import type { TableOption } from '../table.ts';

/** `-` and `+` lines by topic, then the answer about an upgrade. */
export function formatFirmwareDiff(diff: FirmwareDiff, { color = false }: TableOption = {}): string {
  const minus = (text: string) => paint('red', `- ${printable(text)}`, color);
  const plus = (text: string) => paint('green', `+ ${printable(text)}`, color);
  const title = (text: string) => paint('bold', text, color);
  const pair = <T>({ name, before, after }: { name: string; before?: T; after?: T }, show: (value: T) => string) => [
    ...(before === undefined ? [] : [`  ${minus(`${name}  ${show(before)}`)}`]),
    ...(after === undefined ? [] : [`  ${plus(`${name}  ${show(after)}`)}`]),
  ];
  const block = (name: string, lines: string[]) => (lines.length === 0 ? [] : [title(name), ...lines, '']);

  const { before, after } = diff.uuid;
  const uuid = before === after ? [] : pair({ name: 'uuid', ...diff.uuid }, (value) => value);
  const metadata = diff.metadata.flatMap((change) => pair(change, (value) => (value === '' ? '(empty)' : value)));
  const resources = diff.resources.flatMap((change) =>
    pair(change, ({ lengthBytes, blake2b256 }) =>
      [
        lengthBytes === undefined ? 'size not known' : `${formatBytes(lengthBytes)} (${lengthBytes} bytes)`,
        blake2b256 === undefined ? '' : `${blake2b256.slice(0, 16)}…`,
      ]
        .join('  ')
        .trimEnd(),
    ),
  );
  const regions = diff.regions.flatMap((change) =>
    pair(
      change,
      ({ firstBlock, blockCount }) =>
      blockCount === undefined ? `from block ${firstBlock}` : `blocks ${firstBlock}-${firstBlock + blockCount - 1} (${formatBytes(blockCount * 512)})`, // prettier-ignore
    ),
  );
  const tasks = diff.tasks.flatMap(({ name, change, parts }) => [
    `  ${printable(name)}: ${change}`,
    ...parts.flatMap(({ part, removed, added, reordered }) => [
      `    ${printable(part)}${reordered ? ': in another order' : ''}`,
      ...removed.map((text) => `      ${minus(text)}`),
      ...added.map((text) => `      ${plus(text)}`),
    ]),
  ]);
  const checks = diff.upgrade.checks.map(
    ({ verdict, what }) => `  ${paint(styleOfState(verdict), verdict.padEnd(4), color)}  ${printable(what)}`,
  );
  const answer = diff.upgrade.possible ? 'an upgrade is possible' : 'an upgrade is NOT possible';
  return [
    ...(diff.same ? ['nothing differs', ''] : []),
    ...block('Metadata', [...uuid, ...metadata]),
    ...block('Resources', resources),
    ...block('Disk', regions),
    ...block('Tasks', tasks),
    ...block('Upgrade of a device from the first to the second', checks),
    `${paint(diff.upgrade.possible ? 'green' : 'red', answer, color)}\n`,
  ].join('\n');
}
