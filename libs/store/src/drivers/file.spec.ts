import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeDriver } from '../testing/describe-driver.js';
import { create } from './file.js';

for (const [name, { sparse = false, several = false }] of Object.entries({
  file: {},
  'file (thin, with time-outs)': { sparse: true },
  'file (two directories)': { several: true },
})) {
  describeDriver(name, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'glance-store-'));
    const driver = create({
      filesystemStoreDatadir: join(directory, 'images'),
      filesystemStoreDatadirs: several ? [`${join(directory, 'a')}:1`, `${join(directory, 'b')}:2`] : [],
      filesystemStoreMetadataFile: undefined,
      filesystemStoreMountPoint: undefined,
      filesystemStoreTimeout: sparse ? 30 : 0,
      filesystemStoreThreadPoolSize: 10,
      filesystemStoreThreadpoolThreshold: 75,
      filesystemStoreChunkSize: sparse ? 4096 : 524288,
      filesystemStoreFilePerm: 0,
      filesystemThinProvisioning: sparse,
      filesystemStoreFsync: !sparse,
    });
    return {
      driver,
      list: () => readdir(directory, { recursive: true }),
      dispose: () => rm(directory, { recursive: true }),
    };
  });
}
