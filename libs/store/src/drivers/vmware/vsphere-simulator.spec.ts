import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { installDebianPackages } from '../../../../../tools/services/debian-packages.js';
import {
  simulatorPackages,
  startVsphereSimulator,
  type VsphereSimulator,
} from '../../../../../tools/services/vsphere-simulator.js';
import { describeDriver } from '../../testing/describe-driver.js';
import { newCertificate } from '../../testing/faulty-proxy.js';
import { settingsOf } from '../../testing/settings.js';
import { create, options } from '../vmware.js';

const certificate = newCertificate();
let simulator: VsphereSimulator;

beforeAll(async () => {
  installDebianPackages(...simulatorPackages);
  const key = join(dirname(certificate.path), 'key.pem');
  writeFileSync(key, certificate.key);
  simulator = await startVsphereSimulator(certificate.path, key);
}, 600_000);
afterAll(() => simulator.close());

describeDriver("vmware (VMware's simulator)", async () => ({
  driver: create(
    settingsOf(options, {
      vmwareServerHost: simulator.host,
      vmwareServerUsername: 'user',
      vmwareServerPassword: 'pass',
      vmwareDatastores: ['DC0:LocalDS_0:10', 'DC0:LocalDS_1'],
      vmwareCaFile: certificate.path,
    }),
  ),
}));
