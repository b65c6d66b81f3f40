import { tmpdir } from 'node:os';
import { describeDriver } from '../testing/describe-driver.js';
import { openstackSwift, radosgwSwift, swiftAccount, swiftSettings } from '../testing/swift-servers.js';
import { create } from './swift.js';

const mib = { swiftStoreLargeObjectChunkSize: 1 };

for (const [name, server, changes] of [
  ['swift (OpenStack)', openstackSwift, { ...mib, swiftStoreContainer: 'conformance' }],
  [
    'swift (Ceph, segments in files first)',
    radosgwSwift,
    { ...mib, swiftStoreContainer: 'swift', swiftBufferOnUpload: true, swiftUploadBufferDir: tmpdir() },
  ],
] as const) {
  describeDriver(name, async () => {
    const account = await swiftAccount(server());
    return { driver: create(swiftSettings(server(), changes)), list: () => account.contents() };
  });
}
