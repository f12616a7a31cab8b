import type { DeviceResult, OutputRow, OutputStream } from '../client/contract/index.ts';

/** A line that a device has written; `!` before it: to stderr. */
export interface LiveLine {
  deviceId: string;
  stream: OutputStream;
  text: string;
  /** Said about the output, not part of it. */
  note?: true;
}

/** A line without an end is shown when it is so long. */
const maxLineLength = 4_096;
const streams = ['stdout', 'stderr'] as const;

interface Shown {
  /** All of the stream so far; undefined once something of it was missed. */
  text: string | undefined;
  /** The beginning of a line. */
  open: string;
}

/** Puts the lines of devices together from pieces as they come, and knows what of a result is still to be shown. */
export class LiveLines {
  readonly #shown = new Map<string, Shown>();
  readonly #ended = new Set<string>();

  /** The lines that this piece has ended. */
  *take({ deviceId, stream, text, missedBytes, last }: OutputRow): Generator<LiveLine> {
    // A glimpse that the result has overtaken.
    if (this.#ended.has(deviceId)) return;
    const shown = this.#of(deviceId, stream);
    if (missedBytes !== undefined) {
      yield* this.#close(deviceId, stream, shown);
      yield { deviceId, stream, text: `… ${missedBytes} bytes are not shown here`, note: true };
      shown.text = undefined;
    }
    if (shown.text !== undefined) shown.text += text;
    yield* this.#lines(deviceId, stream, shown, text);
    if (last === true) {
      yield { deviceId, stream, text: '… no more of it is shown before the result', note: true };
      shown.text = undefined;
    }
  }

  /**
   * The rest of what a device has written, from its result. `whole`: the result has more than was shown of a stream, and
   * says it best itself.
   */
  *end(result: DeviceResult): Generator<LiveLine, { whole: boolean }> {
    const { deviceId } = result;
    if (this.#ended.has(deviceId)) return { whole: false };
    this.#ended.add(deviceId);
    let whole = false;
    for (const stream of streams) {
      const shown = this.#of(deviceId, stream);
      const all = result[stream] ?? '';
      if (shown.text !== undefined && all.startsWith(shown.text)) {
        yield* this.#lines(deviceId, stream, shown, all.slice(shown.text.length));
      } else if (shown.text?.startsWith(all) !== true) whole ||= all !== '';
      yield* this.#close(deviceId, stream, shown);
      this.#shown.delete(`${deviceId} ${stream}`);
    }
    return { whole };
  }

  *#lines(deviceId: string, stream: OutputStream, shown: Shown, text: string): Generator<LiveLine> {
    const lines = (shown.open + text).split('\n');
    shown.open = lines.pop() ?? '';
    for (const line of lines) yield { deviceId, stream, text: line };
    if (shown.open.length > maxLineLength) yield* this.#close(deviceId, stream, shown);
  }

  *#close(deviceId: string, stream: OutputStream, shown: Shown): Generator<LiveLine> {
    if (shown.open === '') return;
    yield { deviceId, stream, text: shown.open };
    shown.open = '';
  }

  #of(deviceId: string, stream: OutputStream): Shown {
    const name = `${deviceId} ${stream}`;
    const shown = this.#shown.get(name) ?? { text: '', open: '' };
    this.#shown.set(name, shown);
    return shown;
  }
}
