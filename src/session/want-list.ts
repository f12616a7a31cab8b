import { maxWants } from '../protocol/limit.ts';
import type { ChunkMessage } from '../protocol/message.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import type { Effect } from './effect.ts';

/** The device's side of blobs: what it asked for and how much of it is still to come. */
export class WantList {
  readonly #remaining = new Map<number, number>();
  /** Of those that were cancelled: what may still be on its way. */
  readonly #cancelled = new Map<number, number>();
  #lastId = 0;
  #tookBytes = 0;

  /** Parts that are asked for and not whole. */
  get size(): number {
    return this.#remaining.size;
  }

  add(length: number): number {
    if (this.#remaining.size >= maxWants) throw new RangeError(`more than ${maxWants} parts at a time`);
    this.#lastId += 1;
    this.#remaining.set(this.#lastId, length);
    return this.#lastId;
  }

  /** False when it was whole or refused before. What is on its way still comes and is dropped. */
  cancel(id: number): boolean {
    const left = this.#remaining.get(id);
    if (left === undefined) return false;
    this.#remaining.delete(id);
    this.#cancelled.set(id, left);
    return true;
  }

  receive(message: ChunkMessage): Effect | undefined {
    switch (message.type) {
      case 'data': {
        const { id, bytes } = message;
        this.#tookBytes += bytes.length;
        const left = this.#left(id);
        if (left === undefined) return this.#drop(id, bytes.length);
        if (bytes.length > left) throw new ProtocolError('chunk', `${bytes.length - left} bytes more than wanted`);
        const last = bytes.length === left;
        if (last) this.#remaining.delete(id);
        else this.#remaining.set(id, left - bytes.length);
        return { kind: 'data', id, bytes, last };
      }
      case 'want-refused': {
        if (this.#left(message.id) === undefined) {
          this.#cancelled.delete(message.id);
          return undefined;
        }
        this.#remaining.delete(message.id);
        return { kind: 'want-refused', id: message.id, code: message.code };
      }
      default:
        throw new ProtocolError('frame-type', `${message.type} is what a device says`);
    }
  }

  /** How much to tell the sender that it has arrived. */
  takeTook(): number {
    const bytes = this.#tookBytes;
    this.#tookBytes = 0;
    return bytes;
  }

  /** Of a part that is not wanted any more: no more than was asked for, or it would never end. */
  #drop(id: number, length: number): undefined {
    const left = this.#cancelled.get(id);
    if (left === undefined) throw new ProtocolError('chunk', `part ${id} is over, and ${length} bytes more came`);
    if (length > left) throw new ProtocolError('chunk', `${length - left} bytes more than wanted`);
    if (length === left) this.#cancelled.delete(id);
    else this.#cancelled.set(id, left - length);
    return undefined;
  }

  #left(id: number): number | undefined {
    if (id === 0 || id > this.#lastId) throw new ProtocolError('chunk', `part ${id} was never asked for`);
    return this.#remaining.get(id);
  }
}
