import type { OutputRow } from '../../client/contract/job.ts';
import type { JobOutputEvent } from '../../protocol/event.ts';

/** What a device has told of its output since the follower has looked last. */
export interface OutputGlimpse {
  deviceId: string;
  events: readonly JobOutputEvent[];
}

/** What waits for one follower; a follower that does not read costs no more. */
const maxWaitingBytes = 4 * 1024 * 1024;

/** Glimpses of output on their way to one follower: bounded, and what was left out before each is counted. */
export class GlimpseRoom {
  readonly #seen = new Map<string, number>();
  #waitingBytes = 0;

  /** False: there is no room, it is left out. */
  enter(event: JobOutputEvent): boolean {
    if (this.#waitingBytes >= maxWaitingBytes) return false;
    this.#waitingBytes += bytesOf(event);
    return true;
  }

  *leave({ deviceId, events }: OutputGlimpse): Generator<OutputRow> {
    for (const event of events) {
      this.#waitingBytes -= bytesOf(event);
      for (const [index, piece] of event.pieces.entries()) {
        const name = `${deviceId} ${piece.stream}`;
        const missedBytes = piece.offset - (this.#seen.get(name) ?? 0);
        this.#seen.set(name, piece.offset + piece.bytes);
        const last = event.last === true && index === event.pieces.length - 1;
        yield {
          deviceId,
          ...piece,
          ...(missedBytes > 0 ? { missedBytes } : {}),
          ...(last ? { last } : {}),
        };
      }
    }
  }
}

/** Of the text that it holds. */
function bytesOf({ pieces }: JobOutputEvent): number {
  return pieces.reduce((sum, { text }) => sum + text.length, 0);
}
