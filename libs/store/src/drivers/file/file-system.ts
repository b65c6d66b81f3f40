import * as system from 'node:fs/promises';
import { isServiceError } from '@glance/domain';
import { PatientCalls, type PatientCallsSettings } from './patient-calls.js';

const names = ['lstat', 'mkdir', 'open', 'readdir', 'rename', 'rm', 'rmdir', 'stat', 'statfs', 'unlink'] as const;

/** The calls that a file store makes on its file system; those on open files are among them. */
export type FileSystem = Pick<typeof system, (typeof names)[number]>;

const onHandles = ['read', 'write', 'chmod', 'truncate', 'sync', 'datasync', 'close'] as const;

/** How many times longer these may take: they wait for a disk that may have much to write. */
const patience: Readonly<Record<string, number>> = { sync: 10, datasync: 10, close: 10, truncate: 10, rm: 10 };

type Call = (...parameters: unknown[]) => Promise<unknown>;

/** The file system of this machine; with settings, as one that may not answer: see `PatientCalls`. */
export function fileSystem(settings: PatientCallsSettings | undefined): FileSystem {
  if (settings === undefined) return system;
  const calls = new PatientCalls(settings);
  const patient =
    (name: string, call: Call, late?: (answer: unknown) => unknown): Call =>
    (...parameters) =>
      calls.run(() => call(...parameters), { patience: patience[name] ?? 1, late, insist: name === 'close' });
  const patientHandle = (file: system.FileHandle): system.FileHandle => {
    for (const name of onHandles) {
      const call = patient(name, (file[name] as Call).bind(file));
      // Closing a file tells nothing that its writes have not, and comes when an error is on its way already.
      const ignoring: Call = (...parameters) => call(...parameters).catch(unlessHung);
      Object.defineProperty(file, name, { value: name === 'close' ? ignoring : call });
    }
    return file;
  };
  const close = (file: unknown): unknown => (file as system.FileHandle).close().catch(() => undefined);
  const open = patient('open', system.open as Call, close);
  const wrapped = Object.fromEntries(names.map((name) => [name, patient(name, system[name] as Call)]));
  return {
    ...wrapped,
    open: async (...parameters: unknown[]) => patientHandle((await open(...parameters)) as system.FileHandle),
  } as unknown as FileSystem;
}

function unlessHung(error: unknown): void {
  if (!isServiceError(error, 'StoreUnavailable')) throw error;
}
