import { readdirSync } from 'node:fs';
import { describeDriver } from '../testing/describe-driver.js';
import { cinderStandIn } from '../testing/cinder-share.js';

describeDriver('cinder', async () => {
  const { storage, driver, close } = await cinderStandIn();
  return {
    driver: driver(),
    list: () => [...storage.volumes.keys(), ...storage.attachments.keys(), ...readdirSync(storage.directory)].sort(),
    dispose: close,
  };
});
