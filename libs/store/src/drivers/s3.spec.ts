import { describeDriver } from '../testing/describe-driver.js';
import { contentsOf, radosgwClient, radosgwSettings } from '../testing/radosgw-s3.js';
import { create } from './s3.js';

const s3StoreBucket = 'conformance';

describeDriver('s3', async () => {
  const client = radosgwClient();
  return {
    driver: create(radosgwSettings({ s3StoreBucket, s3StoreLargeObjectChunkSize: 5 })),
    list: () => contentsOf(client, s3StoreBucket),
    dispose: async () => client.destroy(),
  };
});
