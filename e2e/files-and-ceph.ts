import type { Ceph } from '../tools/services/ceph.js';

/** The group of a store in the pool of a cluster. */
export function inCeph({ conf, user, pool }: Ceph): Record<string, string | number> {
  return { rbd_store_ceph_conf: conf, rbd_store_user: user, rbd_store_pool: pool };
}

/**
 * The configuration of two stores, `files` in a directory and `ceph` in a cluster; files are the default. `settings`: of the
 * group [DEFAULT].
 */
export function filesAndCeph(files: string, ceph: Ceph, settings: Readonly<Record<string, string | number>>): string {
  const lines = (options: Readonly<Record<string, string | number>>): string =>
    Object.entries(options)
      .map(([name, value]) => `${name} = ${value}\n`)
      .join('');
  return `[DEFAULT]
enabled_backends = files:file,ceph:rbd
delayed_delete = True
${lines(settings)}
[glance_store]
default_backend = files
[files]
filesystem_store_datadir = ${files}
[ceph]
${lines(inCeph(ceph))}`;
}
