import type { StoreDriver } from '../driver.js';
import { create, options, type VmwareSettings } from '../drivers/vmware.js';
import { type Certificate, type FaultyProxy, faultyProxy } from './faulty-proxy.js';
import { settingsOf } from './settings.js';
import { Vcenter, vcenterUser } from './vcenter.js';

export interface VmwareServer {
  readonly vcenter: Vcenter;
  /** What a store reaches it through. */
  readonly proxy: FaultyProxy;
  driver(changes?: Partial<VmwareSettings>): StoreDriver;
  close(): Promise<void>;
}

/** The stand-in for a vCenter Server, behind TLS. */
export async function vmwareServer(certificate: Certificate): Promise<VmwareServer> {
  const vcenter = new Vcenter();
  await vcenter.start();
  const proxy = await faultyProxy(vcenter.url, certificate);
  return {
    vcenter,
    proxy,
    driver: (changes = {}) =>
      create(
        settingsOf(options, {
          vmwareServerHost: new URL(proxy.url).host,
          vmwareServerUsername: vcenterUser.name,
          vmwareServerPassword: vcenterUser.password,
          vmwareDatastores: ['Europe/DC1:fast:10', 'Europe/DC1:slow'],
          vmwareCaFile: certificate.path,
          ...changes,
        }),
      ),
    async close() {
      await proxy.close();
      await vcenter.close();
    },
  };
}
