import type { ByteString } from '../config/source-text.ts';
import { FlotillaError } from '../../error.ts';
import type { SegmentCache } from './segment-cache.ts';
import {
  checkUbootVariable,
  clearUbootEnvironment,
  loadUbootEnvironment,
  storeUbootEnvironment,
  type LoadedEnvironment,
  type UbootLayout,
  type UbootVariables,
} from './uboot-environment.ts';

/**
 * One U-Boot environment behind the cache. fwup reads, changes and writes once for each action, going back and forth
 * between the copies; so do we (the flags count the same), but what reaches the disk in the end is ordered so that
 * the copy which holds *now* is overwritten last: at any moment one valid copy with a state of before or after is there.
 */
export class EnvironmentAccess {
  readonly #cache: SegmentCache;
  readonly #layout: UbootLayout;
  /** The copy on the disk that held before this apply; undefined: none did. */
  #heldCopy: 0 | 1 | undefined;
  #looked = false;

  constructor(cache: SegmentCache, layout: UbootLayout) {
    this.#cache = cache;
    this.#layout = layout;
  }

  async value(name: ByteString): Promise<ByteString | undefined> {
    return (await this.#load()).variables.get(name);
  }

  async change(edit: (variables: UbootVariables) => void): Promise<void> {
    const loaded = await this.#load();
    const variables = new Map(loaded.variables);
    edit(variables);
    this.#defer();
    await storeUbootEnvironment(this.#cache, this.#layout, loaded, variables);
  }

  async set(name: ByteString, value: ByteString): Promise<void> {
    checkUbootVariable(name, value);
    await this.change((variables) => variables.set(name, value));
  }

  async clear(): Promise<void> {
    await this.isValid(); // to know which copy held
    this.#defer();
    await clearUbootEnvironment(this.#cache, this.#layout);
  }

  async isValid(): Promise<boolean> {
    try {
      await this.#load();
      return true;
    } catch (error) {
      if (error instanceof FlotillaError && error.code === 'uboot-environment-invalid') return false;
      throw error;
    }
  }

  async #load(): Promise<LoadedEnvironment> {
    const first = !this.#looked;
    this.#looked = true;
    const loaded = await loadUbootEnvironment(this.#cache, this.#layout);
    if (first) this.#heldCopy = loaded.copy;
    return loaded;
  }

  #defer(): void {
    const { blockOffset, blockOffsetRedund, blockCount } = this.#layout;
    const copies = blockOffsetRedund === undefined ? [blockOffset] : [blockOffset, blockOffsetRedund];
    if (this.#heldCopy === 0) copies.reverse();
    for (const block of copies) this.#cache.defer(block * 512, blockCount * 512);
  }
}
