import { getSystemErrorMessage } from 'node:util';

/** libuv's words begin in lower case and differ here and there from strerror(3), which scripts know. */
const strerror: Record<string, string> = {
  ENOENT: 'No such file or directory',
  EACCES: 'Permission denied',
  EPERM: 'Operation not permitted',
  EEXIST: 'File exists',
  EISDIR: 'Is a directory',
  ENOTDIR: 'Not a directory',
  ENOSPC: 'No space left on device',
  EROFS: 'Read-only file system',
  EMFILE: 'Too many open files',
  ELOOP: 'Too many levels of symbolic links',
  EIO: 'Input/output error',
};

/** The text of strerror(3) for an error of the operating system. */
export function systemErrorText(error: unknown): string {
  const { code, errno, message } = error as NodeJS.ErrnoException;
  const known = code === undefined ? undefined : strerror[code];
  if (known !== undefined) return known;
  return errno === undefined ? message : getSystemErrorMessage(errno);
}
