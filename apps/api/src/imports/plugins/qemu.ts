import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mkdtemp, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { ServiceError } from '@glance/domain';
import { NbdExport } from './nbd-export.js';

/** Disk formats of Glance that qemu can read, by qemu's names. */
export const qemuFormats: Readonly<Record<string, string>> = {
  raw: 'raw',
  qcow2: 'qcow2',
  vhd: 'vpc',
  vhdx: 'vhdx',
  vmdk: 'vmdk',
  vdi: 'vdi',
  ploop: 'parallels',
};

const GIB = 1024 ** 3;
/** Milliseconds in which a server must be there. */
const patience = 20_000;

/**
 * qemu allocates a buffer for each request. glibc would give its memory back each time, and the kernel would clear the
 * next one page by page, which costs more than all else that qemu-nbd does. In bytes; 32 MiB is the most that it takes.
 * https://sourceware.org/glibc/manual/latest/html_node/Memory-Allocation-Tunables.html
 */
const keepMemory = 'glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=67108864';

interface Limits {
  /** Seconds of CPU time. */
  readonly cpu?: number;
  /** Bytes of address space. */
  readonly memory: number;
  /** Bytes of a file that it writes. */
  readonly file?: number;
}

interface Outcome {
  readonly code: number | null;
  readonly output: string;
  readonly complaint: string;
}

/** Runs a program under limits of the kernel's. Nothing of it is left when `signal` fires. */
function limited(
  program: string,
  args: readonly string[],
  { cpu, memory, file }: Limits,
  signal: AbortSignal,
  onOutput?: (text: string) => void,
): Promise<Outcome> {
  const limits = [`--as=${memory}`, '--core=0', ...(cpu ? [`--cpu=${cpu}`] : []), ...(file ? [`--fsize=${file}`] : [])];
  const child = spawn('prlimit', [...limits, '--', program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], LC_ALL: 'C', GLIBC_TUNABLES: keepMemory },
    signal,
    killSignal: 'SIGKILL',
  });
  let [output, complaint] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    onOutput?.(text);
    output = (output + text).slice(-GIB / 1024);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint = (complaint + text).slice(0, 2000)));
  return new Promise((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      reject(signal.aborted ? (signal.reason as Error) : error.code === 'ENOENT' ? missing() : error);
    });
    child.once('close', (code) => resolve({ code, output, complaint }));
  });
}

function missing(): ServiceError {
  return new ServiceError(
    'StorageDenied',
    'This service cannot convert images: the programs of qemu-utils, or prlimit, are not installed.',
  );
}

/** What qemu-img says of a file that is said to have this format: the part that matters here. */
interface ImageInfo {
  readonly 'virtual-size': number;
  readonly 'backing-filename'?: string;
  readonly 'full-backing-filename'?: string;
  readonly encrypted?: boolean;
  readonly 'format-specific'?: { readonly data?: { readonly 'data-file'?: string } };
}

/** Bytes of the disk in `file`. `UnsafeImage` if it cannot be read as `format`, or leads to other files. */
export async function diskSize(file: string, format: string, signal: AbortSignal): Promise<number> {
  const args = ['info', '-f', qemuFormats[format]!, '--output=json', file];
  const { code, output, complaint } = await limited('qemu-img', args, { cpu: 2, memory: GIB }, signal);
  if (code === 127) throw missing();
  if (code !== 0) throw refused(`it cannot be read as ${format}`, complaint.replaceAll(file, 'the image'));
  const info = JSON.parse(output) as ImageInfo;
  if (info['backing-filename'] ?? info['full-backing-filename']) throw refused('it names a backing file');
  if (info['format-specific']?.data?.['data-file'] !== undefined) throw refused('it names a data file');
  if (info.encrypted === true) throw refused('it is encrypted');
  return info['virtual-size'];
}

/** Converts `source` to the new file `target`; `progress` hears a fraction of 1. */
export async function convert(
  source: { readonly file: string; readonly format: string },
  target: { readonly file: string; readonly format: string; readonly maxSize: number },
  signal: AbortSignal,
  progress: (fraction: number) => void,
): Promise<void> {
  const formats = ['-f', qemuFormats[source.format]!, '-O', qemuFormats[target.format]!];
  const subformat = target.format === 'vmdk' ? ['-o', 'subformat=streamOptimized'] : [];
  const heard = (text: string): void => {
    const percent = [...text.matchAll(/\((\d+\.\d+)\/100%\)/g)].at(-1)?.[1];
    if (percent !== undefined) progress(Number(percent) / 100);
  };
  const args = ['convert', '-p', ...formats, ...subformat, source.file, target.file];
  const limits = { memory: 4 * GIB, file: target.maxSize };
  const { code, complaint } = await limited('qemu-img', args, limits, signal, heard);
  if (code === 0) return;
  if (code === 127) throw missing();
  if (complaint.includes('No space left')) throw new ServiceError('StorageFull', 'There is no room for conversions.');
  throw refused(`it cannot be converted to ${target.format}`, complaint.replaceAll(source.file, 'the image'));
}

/** The disk in `file`, as qemu reads it; closed by whoever asked for it. */
export async function openDisk(
  file: string,
  format: string,
  signal: AbortSignal,
): Promise<{ disk: NbdExport; close: () => Promise<void> }> {
  // Paths of sockets are short.
  const directory = await mkdtemp(join(tmpdir(), 'glance-nbd-'));
  const socket = join(directory, randomUUID().slice(0, 8));
  const over = new AbortController();
  const args = ['--read-only', `--format=${qemuFormats[format]!}`, `--socket=${socket}`, '--', file];
  const serving = limited('qemu-nbd', args, { memory: 4 * GIB }, AbortSignal.any([signal, over.signal]));
  serving.catch(() => undefined);
  const close = async (): Promise<void> => {
    over.abort(new Error('No longer needed.'));
    await serving.catch(() => undefined);
    await rm(directory, { recursive: true, force: true });
  };
  const failed = serving.then(({ code, complaint }): never => {
    if (code === 127) throw missing();
    throw refused(`it cannot be read as ${format}`, complaint.replaceAll(file, 'the image'));
  });
  failed.catch(() => undefined);
  try {
    const deadline = Date.now() + patience;
    while (!existsSync(socket)) {
      if (Date.now() > deadline)
        throw new ServiceError('StoreUnavailable', 'The conversion of the image did not begin.');
      await Promise.race([delay(10, undefined, { signal }), failed]);
    }
    return { disk: await Promise.race([NbdExport.connect(socket), failed]), close };
  } catch (error) {
    await close();
    throw error;
  }
}

function refused(why: string, details = ''): ServiceError {
  const message = `The image cannot be converted: ${why}.${details === '' ? '' : ` ${details.trim().slice(0, 500)}`}`;
  return new ServiceError('UnsafeImage', message);
}
