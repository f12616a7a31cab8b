/**
 * What a FAT file system holds, as a Map: every operation with the result it must have. Names are equal without regard
 * to case, and keep the case of their creation.
 */
import type { FatFaultKind } from '../../src/firmware/apply/fat/fat-fault.ts';

export interface ModelFile {
  /** With the case of its creation, a leading slash. */
  path: string;
  isDirectory: boolean;
  content: Buffer;
  /** Letters of R, H, S. */
  attributes: string;
}

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/'));
const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

export class FatModel {
  /** By path in upper case. The root is not in it. */
  readonly files = new Map<string, ModelFile>();

  mkdir(path: string): FatFaultKind | undefined {
    const found = this.#find(path);
    if (found) return found.isDirectory ? undefined : 'exists';
    return this.#add(path, { isDirectory: true });
  }

  touch(path: string): FatFaultKind | undefined {
    const found = this.#find(path);
    if (found) return this.#writeFault(found);
    return this.#add(path, { isDirectory: false });
  }

  write(path: string, content: Buffer): FatFaultKind | undefined {
    const found = this.#find(path);
    if (!found) return this.#add(path, { isDirectory: false, content });
    const fault = this.#writeFault(found);
    if (fault === undefined) Object.assign(found, { content, attributes: '' });
    return fault;
  }

  remove(path: string): FatFaultKind | undefined {
    const found = this.#find(path);
    if (!found) return this.#absence(path);
    if (found.attributes.includes('R')) return 'denied';
    if (this.#below(path).length > 0) return 'denied';
    this.files.delete(path.toUpperCase());
    return undefined;
  }

  move(from: string, to: string): FatFaultKind | undefined {
    const found = this.#find(from);
    if (!found) return this.#absence(from);
    const [old, target] = [from.toUpperCase(), to.toUpperCase()];
    if (found.isDirectory && target.startsWith(`${old}/`)) return 'denied';
    if (this.#absence(to) === 'no-path') return 'no-path';
    if (this.files.has(target) && target !== old) return 'exists';
    const moved = [found, ...this.#below(from)];
    for (const { path } of moved) this.files.delete(path.toUpperCase());
    for (const file of moved) {
      file.path = this.#cased(to) + file.path.slice(from.length);
      this.files.set(file.path.toUpperCase(), file);
    }
    return undefined;
  }

  copy(from: string, to: string): FatFaultKind | undefined {
    const found = this.#find(from);
    if (!found || found.isDirectory) return this.#absence(from);
    if (from.toUpperCase() === to.toUpperCase()) return undefined;
    return this.write(to, found.content);
  }

  setAttributes(path: string, attributes: string): FatFaultKind | undefined {
    const found = this.#find(path);
    if (!found) return this.#absence(path);
    found.attributes = attributes;
    return undefined;
  }

  #find(path: string): ModelFile | undefined {
    return this.files.get(path.toUpperCase());
  }

  #below(path: string): ModelFile[] {
    const prefix = `${path.toUpperCase()}/`;
    return [...this.files].flatMap(([key, file]) => (key.startsWith(prefix) ? [file] : []));
  }

  #absence(path: string): FatFaultKind {
    const parent = parentOf(path);
    return parent === '' || this.#find(parent)?.isDirectory ? 'no-file' : 'no-path';
  }

  #writeFault({ isDirectory, attributes }: ModelFile): FatFaultKind | undefined {
    return isDirectory || attributes.includes('R') ? 'denied' : undefined;
  }

  #add(path: string, { isDirectory, content = Buffer.alloc(0) }: Partial<ModelFile>): FatFaultKind | undefined {
    if (this.#absence(path) === 'no-path') return 'no-path';
    this.files.set(path.toUpperCase(), {
      path: this.#cased(path),
      isDirectory: isDirectory === true,
      content,
      attributes: '',
    });
    return undefined;
  }

  /** The path with its directories as they were created. */
  #cased(path: string): string {
    const parent = parentOf(path);
    return `${parent === '' ? '' : this.#find(parent)!.path}/${nameOf(path)}`;
  }
}
