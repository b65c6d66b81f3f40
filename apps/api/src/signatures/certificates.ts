import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ServiceError } from '@glance/domain';
import type { KeystoneSettings } from '../identity/keystone-options.js';
import { Barbican } from './barbican.js';
import type { KeyManagerSettings } from './signature-options.js';

/** Where certificates of signed images are. */
export interface Certificates {
  /**
   * The certificate `id`, in PEM, if whoever has `token` may use it. `Invalid` if there is none for him, `Unavailable`
   * if that cannot be known now.
   */
  find(id: string, token: string | undefined): Promise<string>;
}

/** The certificates that the configuration names. */
export function certificatesOf(settings: KeyManagerSettings, keystone: KeystoneSettings | undefined): Certificates {
  const { backend, certificateDirectory: directory } = settings;
  // Glance: older files have the path of the class.
  if (/^barbican$|BarbicanKeyManager$/.test(backend)) return new Barbican(settings, keystone);
  if (backend === 'directory' && directory !== undefined) return { find: (id) => certificateIn(directory, id) };
  const message = `[key_manager] backend = ${backend}: must be barbican, or directory with certificate_directory.`;
  return {
    find: () => Promise.reject(new ServiceError('Invalid', `Certificates cannot be looked up here. ${message}`)),
  };
}

async function certificateIn(directory: string, id: string): Promise<string> {
  try {
    return await readFile(join(directory, `${id}.pem`), 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new ServiceError('Invalid', `There is no certificate ${id}.`);
    }
    throw new ServiceError('Unavailable', 'The directory of certificates cannot be read.', {}, { cause });
  }
}
