import type { StoreDriverModule } from './driver.js';

/** The kinds of stores by the names that `stores` and `enabled_backends` use; loaded when asked for. */
export const drivers = {
  cinder: () => import('./drivers/cinder.js'),
  file: () => import('./drivers/file.js'),
  http: () => import('./drivers/http.js'),
  rbd: () => import('./drivers/rbd.js'),
  s3: () => import('./drivers/s3.js'),
  swift: () => import('./drivers/swift.js'),
  vmware: () => import('./drivers/vmware.js'),
} satisfies Record<string, () => Promise<StoreDriverModule>>;

/** The settings of a store of files in one directory of this machine, which is none of the configured ones. */
export const ownDirectory = (directory: string) => ({
  filesystemStoreDatadir: directory,
  filesystemStoreDatadirs: [],
  filesystemStoreMetadataFile: undefined,
  filesystemStoreMountPoint: undefined,
});

export type DriverName = keyof typeof drivers;

/** Whether there is a driver of this name. */
export function isDriverName(name: string): name is DriverName {
  return Object.hasOwn(drivers, name);
}
