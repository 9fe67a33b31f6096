import { MeanfieldError, messageOf } from './errors.js';

/** What a code of the operating system or of Node means, and what to do. */
const MEANINGS: Readonly<Record<string, readonly [is: string, advice: string]>> = {
  ENOSPC: ['no disk space left', 'What was saved before is unharmed; free some space, then continue'],
  EDQUOT: ['the disk quota is used up', 'What was saved before is unharmed; free some space, then continue'],
  EFBIG: ['the file would be larger than is allowed', 'Look at ulimit -f and at what the file system takes'],
  EACCES: ['permission denied', 'Check the path and its permissions, or choose another'],
  EPERM: ['the system does not allow it', 'Check the path, its owner and its permissions, or choose another'],
  EROFS: ['the file system is read-only', 'Choose a path elsewhere, or mount it for writing'],
  ENOENT: ['there is no such file or folder', 'Check the path'],
  ENOTDIR: ['a part of the path is a file, not a folder', 'Check the path'],
  EISDIR: ['it is a folder, expected a file', 'Name a file'],
  EEXIST: ['it exists already', 'Choose another path, or remove what is there'],
  ENOTEMPTY: ['the folder is not empty', 'Choose another path, or remove what is there'],
  ENAMETOOLONG: ['the name is too long', 'Most file systems take 255 bytes a name; choose a shorter one'],
  ELOOP: ['its symbolic links go round in a circle', 'Follow them with ls -l and mend one'],
  EMFILE: ['too many files are open in this process', 'Raise the limit: ulimit -n 4096'],
  ENFILE: ['too many files are open on this machine', 'Close other programs, or raise fs.file-max'],
  ENOMEM: ['no memory is left', 'Close other programs, or take a smaller model or batch'],
  EAGAIN: ['the system gives no more threads, processes or memory now', 'Look at ulimit -u, or try again later'],
  EIO: ['the device failed to read or write', 'The disk or terminal may be broken or gone; see dmesg'],
  EBUSY: ['something else uses it', 'Close the other program, or choose another path'],
  ETXTBSY: ['it is a program that runs', 'Choose another path'],
  EXDEV: ['it lies on another file system', 'Choose paths on one file system'],
  EMLINK: ['it has as many links as the file system takes', 'Choose another path'],
  EINVAL: ['the file system does not take this', 'Choose a path on another file system'],
  ENXIO: ['there is no device behind it', 'Name a regular file'],
  ENODEV: ['there is no device behind it', 'Name a regular file'],
  ESTALE: ['the network file system has lost it', 'Mount it anew'],
  ETIMEDOUT: ['it did not answer in time', 'Check the network, or the disk behind it'],
  EBADF: ['it is closed, or not open for this', 'Look at where input and output are redirected'],
  EPIPE: ['its reader has gone', 'Look at the program that reads it'],
  EADDRINUSE: ['another program has this port', 'Choose another port'],
  EADDRNOTAVAIL: ['this machine has no such address', 'Check the address'],
  ECONNREFUSED: ['nothing listens there', 'Check that it runs, and the address'],
  ECONNRESET: ['the other side has ended the connection', 'Check that it runs, and try again'],
  EHOSTUNREACH: ['there is no way to this address', 'Check the address and the network'],
  ENETUNREACH: ['there is no way to this address', 'Check the address and the network'],
  ENOTFOUND: ['no machine has this name', 'Check the name and the network'],
  ENOTSUP: ['the file system does not support it', 'Choose a path on another file system'],
  EOPNOTSUPP: ['the file system does not support it', 'Choose a path on another file system'],
  ENOSYS: ['this system does not support it', 'Choose a path on another file system'],
  ERR_FS_FILE_TOO_LARGE: ['the file is too large to be read at once', 'Split it'],
  ERR_STRING_TOO_LONG: ['the text is too long to be read at once', 'Split it'],
  ERR_WORKER_OUT_OF_MEMORY: ['no memory is left', 'Close other programs, or take a smaller model or batch'],
  ERR_WORKER_INIT_FAILED: ['the system starts no more threads', 'Look at ulimit -u, and at free memory'],
  ERR_MEMORY_ALLOCATION_FAILED: ['no memory is left', 'Close other programs, or take a smaller model or batch'],
};

const CALLS: Readonly<Record<string, string>> = {
  ...{ open: 'open', read: 'read', write: 'write', fsync: 'write', ftruncate: 'write', mkdir: 'make the folder' },
  ...{ scandir: 'list', opendir: 'list', stat: 'look at', lstat: 'look at', access: 'look at', realpath: 'follow' },
  ...{ rename: 'rename', unlink: 'delete', rm: 'delete', rmdir: 'delete', link: 'link', copyfile: 'copy' },
  ...{ listen: 'listen at', bind: 'listen at', connect: 'connect to', getaddrinfo: 'find', chmod: 'change' },
};

/** Of Node's engine: a failed allocation has no code. */
const NO_MEMORY = /^(?:Array buffer allocation failed|Invalid (?:typed )?array (?:buffer )?length)/;

/**
 * Turns what the operating system refused into an error that names it and says what to do; passes others on. This is the
 * one place that knows the system's codes.
 *
 * @param doing what was tried: `write runs/a/run.json`. By default what the error itself tells of the call.
 * @param advice in place of the general one
 */
export function asSystemError(error: unknown, doing?: string, advice?: string): unknown {
  if (error instanceof MeanfieldError || typeof error !== 'object' || error === null) return error;
  const { code, syscall } = error as NodeJS.ErrnoException;
  const meaning = typeof code === 'string' ? MEANINGS[code] : undefined;
  if (meaning === undefined) {
    if (error instanceof RangeError && NO_MEMORY.test(error.message)) {
      return new MeanfieldError(`No memory is left: ${error.message}. ${MEANINGS.ENOMEM![1]}.`, { cause: error });
    }
    // One that the table does not know is the system's all the same, and tells its own meaning.
    const unknown = typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) && typeof syscall === 'string';
    return unknown ? new MeanfieldError(`The system refused: ${messageOf(error)}.`, { cause: error }) : error;
  }
  const [is, general] = meaning;
  const what = doing ?? callOf(error as NodeJS.ErrnoException);
  return new MeanfieldError(`Cannot ${what === '' ? 'go on' : what}: ${is} (${code}). ${advice ?? general}.`, {
    cause: error,
  });
}

function callOf(error: NodeJS.ErrnoException & { readonly address?: string; readonly port?: number }): string {
  const { syscall = '', path, address, port } = error;
  if (syscall.startsWith('spawn')) return `start ${path ?? syscall.slice(6)}`;
  if (syscall === 'uv_cwd') return 'find the current folder';
  const call = CALLS[syscall];
  const object = path ?? (address === undefined ? undefined : [address, port].filter(Boolean).join(':'));
  if (object === undefined) return call ?? syscall;
  return `${call ?? 'use'} ${shownPath(object)}`;
}

/** Letters of a path that an error shows. */
const SHOWN = 160;

/** A path for a message: one of hundreds of letters is told by its ends. */
export function shownPath(path: string): string {
  if (path.length <= SHOWN) return path;
  return `${path.slice(0, SHOWN - 60)}...${path.slice(-40)} (${path.length} characters)`;
}
