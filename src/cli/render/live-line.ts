import type { LiveLine } from '../live-lines.ts';
import { paint, type Style } from '../paint.ts';
import { printable } from '../printable.ts';
import type { TableOption } from '../table.ts';

const styles: readonly Style[] = ['cyan', 'green', 'yellow', 'bold'];

/** `gw-002 | text`; `!` instead of `|` before what came on stderr. */
export function formatLiveLines(lines: readonly LiveLine[], { color = false }: TableOption = {}): string {
  return lines
    .map(({ deviceId, stream, text, note }) => {
      const head = `${paint(styleOf(deviceId), deviceId, color)} ${stream === 'stderr' ? '!' : '|'}`;
      const shown = printable(text.replace(/\r$/, ''), { keepNewlines: true });
      return `${head} ${note === true ? paint('dim', shown, color) : shown}\n`;
    })
    .join('');
}

/** The same for a device every time, so that the eye finds its lines. */
function styleOf(deviceId: string): Style {
  let sum = 0;
  for (const character of deviceId) sum = (sum * 31 + character.codePointAt(0)!) % 65_521;
  return styles[sum % styles.length]!;
}
