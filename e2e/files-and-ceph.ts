import type { Ceph } from '../tools/services/ceph.js';

/**
 * The configuration of two stores, `files` in a directory and `ceph` in a cluster; files are the default. `settings`: of the
 * group [DEFAULT].
 */
export function filesAndCeph(files: string, ceph: Ceph, settings: Readonly<Record<string, string | number>>): string {
  return `[DEFAULT]
enabled_backends = files:file,ceph:rbd
delayed_delete = True
${Object.entries(settings)
  .map(([name, value]) => `${name} = ${value}`)
  .join('\n')}
[glance_store]
default_backend = files
[files]
filesystem_store_datadir = ${files}
[ceph]
rbd_store_ceph_conf = ${ceph.conf}
rbd_store_user = ${ceph.user}
rbd_store_pool = ${ceph.pool}
`;
}
