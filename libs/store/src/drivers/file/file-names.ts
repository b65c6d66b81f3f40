import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ServiceError } from '@glance/domain';
import { assertUsableName, isUsableName } from '../../image-id.js';

/** Where the data of an image lies, and where it lies while it arrives. */
export interface FileNames {
  readonly file: string;
  /** A directory: whoever made it is the only one who may store the image. */
  readonly upload: string;
}

/** The names of image `id`; `Invalid` for an id that would not do as the name of a file. */
export function namesOf(directory: string, id: string): FileNames {
  assertUsableName(id);
  return { file: join(directory, id), upload: join(directory, `.${id}.part`) };
}

/** The location URL of a file. */
export function urlOf(file: string): string {
  return pathToFileURL(file).href;
}

/** The names of what is at `url`, which must be directly in `directory`; otherwise `BadLocation`. */
export function namesAt(directory: string, url: string): FileNames {
  const path = /^(?:file|filesystem):\/\/(\/.*)$/i.exec(url)?.[1];
  if (path !== undefined) {
    // Glance: writes and reads paths as they are, without percent-encoding, so that both forms are in databases.
    for (const candidate of [path, decoded(path)]) {
      if (dirname(candidate) === directory && isUsableName(basename(candidate))) {
        return namesOf(directory, basename(candidate));
      }
    }
  }
  throw new ServiceError('BadLocation', 'The location is not that of a file in the directory of this store.');
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
