import { fileURLToPath } from 'node:url';
import { type ClaimedDigests, type ClaimedTask, type Image, ServiceError } from '@glance/domain';
import type { Stores } from '@glance/store';
import { GlanceSource, type RemoteImage, type RemoteParts } from './download/glance-source.js';
import type { Source } from './source.js';
import type { StagingArea } from './staging-area.js';
import { storedSource } from './stored-source.js';
import { verifiedSource } from './verified-source.js';

export interface SourceParts extends RemoteParts {
  readonly stores: Stores;
  readonly staging: StagingArea;
}

/** Says where the bytes of an import come from. */
export function importSources(parts: SourceParts): (task: ClaimedTask, image: Image) => Source {
  const { stores, staging, web } = parts;
  return (task, image) => {
    switch (task.method) {
      case 'copy-image':
        return storedSource(stores, image.locations);
      case 'glance-direct':
        return stagedSource(staging, task);
      case 'web-download':
        return webSource(web, task.source as unknown as WantedDownload);
      case 'glance-download':
        return new GlanceSource(parts, task.source as unknown as RemoteImage);
      default:
        throw new ServiceError('Invalid', `This service cannot import by ${task.method}.`);
    }
  };
}

interface WantedDownload {
  readonly uri: string;
  readonly digests?: ClaimedDigests;
}

function webSource(web: SourceParts['web'], { uri, digests }: WantedDownload): Source {
  const source = web({ url: uri, verified: digests !== undefined });
  return digests ? verifiedSource(source, digests) : source;
}

function stagedSource(staging: StagingArea, { staged }: ClaimedTask): Source {
  const where = (): string => {
    if (staged) return staged.location.url;
    throw new ServiceError('DataNotFound', 'The staged data is gone.');
  };
  const open = (signal: AbortSignal) => staging.store.read(where(), { signal });
  return {
    open,
    async readable(signal) {
      const url = where();
      const size = await staging.store.size(url, signal);
      const file = url.startsWith('file:') ? fileURLToPath(url) : undefined;
      return { size, ...(file !== undefined && { file }), open: async (reading) => (await open(reading)).data };
    },
  };
}
