import { randomBytes } from 'node:crypto';

/** Who may do what. The monitor learns it when it is made, so that no command has to tell it later. */
const capabilities: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'mon.': { mon: 'allow *' },
  'client.admin': { mon: 'allow *', osd: 'allow *', mgr: 'allow *' },
  'client.glance': { mon: 'profile rbd', osd: 'profile rbd pool=images, profile rbd pool=bindings' },
  // What guides said before there were profiles.
  'client.glance-old': {
    mon: 'allow r',
    osd: 'allow class-read object_prefix rbd_children, allow rwx pool=images',
  },
  // Cannot call the methods of RBD's object class: `x` is missing.
  'client.glance-rw': { mon: 'allow r', osd: 'allow rw pool=images' },
  // The gateway that speaks S3 and Swift.
  'client.rgw': { mon: 'allow rw', osd: 'allow rwx' },
  'osd.0': { mon: 'allow profile osd', mgr: 'allow profile osd', osd: 'allow *' },
  'mgr.x': { mon: 'allow profile mgr', osd: 'allow *' },
};

/** New keys: the monitor's first keyring, with the capabilities of all, and a keyring of their own for each. */
export function cephKeyrings(): { readonly all: string; readonly own: ReadonlyMap<string, string> } {
  const own = new Map(Object.keys(capabilities).map((name) => [name, `[${name}]\n\tkey = ${newKey()}\n`]));
  const all = [...own].map(([name, section]) => {
    const caps = Object.entries(capabilities[name]!).map(([service, allowed]) => `\tcaps ${service} = "${allowed}"\n`);
    return section + caps.join('');
  });
  return { all: all.join(''), own };
}

/** As `ceph-authtool --gen-print-key` makes it: the kind of key (1, AES), when it was made, its length, the key. */
function newKey(): string {
  const head = Buffer.alloc(12);
  head.writeUInt16LE(1, 0);
  head.writeUInt32LE(Math.floor(Date.now() / 1000), 2);
  head.writeUInt16LE(16, 10);
  return Buffer.concat([head, randomBytes(16)]).toString('base64');
}
