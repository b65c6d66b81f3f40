import { describeDriver } from '../testing/describe-driver.js';
import { newCertificate } from '../testing/faulty-proxy.js';
import { vmwareServer } from '../testing/vmware-server.js';

const certificate = newCertificate();

describeDriver('vmware', async () => {
  const { vcenter, driver, close } = await vmwareServer(certificate);
  return {
    driver: driver({ vmwareDatastores: ['Europe/DC1:fast'] }),
    list: () => [...vcenter.nodes.keys()].sort(),
    dispose: close,
  };
});
