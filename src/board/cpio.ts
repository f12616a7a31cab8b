/**
 * The "newc" cpio format, which Linux unpacks as an initramfs. An entry: a header of 110 ASCII bytes (magic 070701 and
 * 13 fields of 8 hex digits), the name with its NUL, zeros to a multiple of 4, the data, zeros to a multiple of 4.
 * The entry TRAILER!!! ends the archive. Written without times and owners, so that the same files give the same bytes.
 */
import { FlotillaError } from '../error.ts';

export interface CpioEntry {
  /** Relative, with `/`, no leading `/` or `./`. */
  path: string;
  /** File type and permissions as in st_mode. */
  mode: number;
  /** The target's text for a symbolic link, empty for a directory. */
  content: Uint8Array;
}

export const fileType = { mask: 0o170000, file: 0o100000, directory: 0o040000, link: 0o120000 } as const;

const magic = '070701';
const headerBytes = 110;
const trailer = 'TRAILER!!!';
const maxPathBytes = 4096;
const zeros = Buffer.alloc(4);

/** Entries in the given order: a directory before what it holds. */
export function encodeCpio(entries: readonly CpioEntry[]): Buffer {
  const pieces: Buffer[] = [];
  const put = (inode: number, links: number, { path, mode, content }: CpioEntry): void => {
    const name = Buffer.from(`${path}\0`);
    // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
    const fields = [inode, mode, 0, 0, links, 0, content.length, 0, 0, 0, 0, name.length, 0];
    pieces.push(Buffer.from(magic + fields.map((field) => field.toString(16).padStart(8, '0')).join('')), name);
    pieces.push(zeros.subarray(0, padding(headerBytes + name.length)));
    pieces.push(
      Buffer.from(content.buffer, content.byteOffset, content.length),
      zeros.subarray(0, padding(content.length)),
    );
  };
  entries.forEach((entry, index) => put(index + 1, (entry.mode & fileType.mask) === fileType.directory ? 2 : 1, entry));
  put(0, 1, { path: trailer, mode: 0, content: new Uint8Array() });
  return Buffer.concat(pieces);
}

/**
 * The entries of the archive that starts at byte 0; what stands after its trailer is not looked at (a slot is larger
 * than its image). Content shares memory with `bytes`. Throws `cpio-invalid`, also for a path that leaves its root.
 */
export function decodeCpio(bytes: Uint8Array): CpioEntry[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const entries: CpioEntry[] = [];
  for (let at = 0; ;) {
    if (at + headerBytes > buffer.length) throw invalid(at, 'the archive ends inside a header');
    if (buffer.toString('latin1', at, at + 6) !== magic) {
      throw invalid(at, 'not a newc header', JSON.stringify(buffer.toString('latin1', at, at + 6)), magic);
    }
    const field = (index: number): number => hexField(buffer, at + 6 + index * 8);
    const [mode, size, nameBytes] = [field(1), field(6), field(11)];
    if (nameBytes < 2 || nameBytes > maxPathBytes) throw invalid(at, `a name of ${nameBytes} bytes`);
    const nameAt = at + headerBytes;
    const contentAt = nameAt + nameBytes + padding(headerBytes + nameBytes);
    const end = contentAt + size;
    if (end > buffer.length)
      throw invalid(at, 'the archive ends inside an entry', `${buffer.length} bytes`, `${end} bytes`);
    if (buffer[nameAt + nameBytes - 1] !== 0) throw invalid(at, 'a name without its NUL');
    const path = buffer.toString('utf8', nameAt, nameAt + nameBytes - 1);
    if (path === trailer) return entries;
    entries.push({ path: insidePath(path, at), mode, content: buffer.subarray(contentAt, end) });
    at = end + padding(size);
  }
}

/** The content of one regular file, or undefined. */
export function findFile(entries: readonly CpioEntry[], path: string): Uint8Array | undefined {
  return entries.find((entry) => entry.path === path && (entry.mode & fileType.mask) === fileType.file)?.content;
}

function insidePath(path: string, at: number): string {
  const plain = path.replace(/^\.\//, '');
  const parts = plain.split('/');
  if (plain.includes('\0') || parts.some((part) => part === '' || part === '..' || (part === '.' && plain !== '.'))) {
    throw invalid(at, 'a path that is not plainly inside the archive', JSON.stringify(path));
  }
  return plain;
}

function hexField(buffer: Buffer, at: number): number {
  const text = buffer.toString('latin1', at, at + 8);
  if (!/^[0-9a-fA-F]{8}$/.test(text)) throw invalid(at, 'a field that is not 8 hex digits', JSON.stringify(text));
  return Number.parseInt(text, 16);
}

function padding(length: number): number {
  return -length & 3;
}

function invalid(at: number, message: string, seen?: string, expected?: string): FlotillaError {
  return new FlotillaError('failed', 'cpio-invalid', `cpio archive, byte ${at}: ${message}`, {
    ...(seen === undefined ? {} : { seen }),
    ...(expected === undefined ? {} : { expected }),
  });
}
