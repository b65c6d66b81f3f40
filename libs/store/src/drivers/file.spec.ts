import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeDriver } from '../testing/describe-driver.js';
import { create } from './file.js';

for (const sparse of [false, true]) {
  describeDriver(sparse ? 'file (thin)' : 'file', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'glance-store-'));
    const driver = create({
      filesystemStoreDatadir: join(directory, 'images'),
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
