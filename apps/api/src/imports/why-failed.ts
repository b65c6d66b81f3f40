import { type ClaimedTask, isServiceError } from '@glance/domain';

const steps: Readonly<Record<string, string>> = {
  read: 'opening the data',
  download: 'the download',
  write: 'writing the data',
  hash: 'reading the data',
  inspect: 'inspecting the data',
  image_conversion: 'the conversion',
  image_decompression: 'the decompression',
  inject_image_metadata: 'adding metadata',
};

/** Why an import failed, for the owner of the image: at which step, what it was, and what to do about it. */
export function whyFailed(remedy: Remedy, step: string, error: unknown): string {
  const known = isServiceError(error) && error.code !== 'Internal';
  const what = known
    ? error.message
    : 'Something went wrong in the service; its log has more under the id of this task.';
  const where = isServiceError(error, 'UnsafeImage') ? 'inspect' : stepOf(error, step);
  return `The import failed at ${steps[where] ?? where}: ${what} ${remedies[remedy]}`;
}

/** What goes wrong with a source shows when it is written. */
function stepOf(error: unknown, step: string): string {
  const { step: own } = isServiceError(error) ? error.details : {};
  return typeof own === 'string' ? own : step;
}

type Remedy = ClaimedTask['method'] | 'one store';

const remedies: Readonly<Record<Remedy, string>> = {
  'one store': 'The other stores have the image; remove the cause and copy it there.',
  'glance-direct': 'The image is queued again; remove the cause, stage the data and import it once more.',
  'web-download': 'The image is queued again; remove the cause and import it once more.',
  'glance-download': 'The image is queued again; remove the cause and import it once more.',
  'add-location': 'If the image is queued again, remove the cause and add the location once more.',
  'copy-image': 'The image is as it was; remove the cause and copy it once more.',
};
