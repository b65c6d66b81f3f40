import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Finding } from '@glance/domain';
import { Cluster, features, isRadosError, type Pool } from '@glance/node-rados';
import { answers, monitorsIn } from './monitors.js';
import type { RbdDriverSettings } from './rbd-driver.js';

/** Everything that the driver needs of Ceph, up to an image that is made and removed again. Ends at what stops the rest. */
export async function* examineCeph({ cluster: options, pool: poolName }: RbdDriverSettings): AsyncIterable<Finding> {
  const path = options.conf ?? '/etc/ceph/ceph.conf';
  const user = `client.${options.user ?? 'admin'}`;
  const keyring = `/etc/ceph/ceph.${user}.keyring`;
  const caps = `mon 'profile rbd' osd 'profile rbd pool=${poolName}'`;
  const newCaps = `ceph auth caps ${user} ${caps}`;

  const conf = await readFile(path, 'utf8').catch((error: unknown) => error as NodeJS.ErrnoException);
  const confFact = `${path} can be read`;
  if (typeof conf !== 'string') {
    const remedy = `ceph config generate-minimal-conf > ${path}`;
    yield { fact: confFact, problem: `rbd_store_ceph_conf: ${path} cannot be read (${conf.code})`, remedy };
    return;
  }
  yield { fact: confFact };
  yield* monitors(conf, path);

  const connected = `${user} is let in`;
  let cluster: Cluster;
  try {
    cluster = await Cluster.connect(options);
  } catch (error) {
    yield { fact: connected, ...refused(error, { user, keyring, caps, path }) };
    return;
  }
  try {
    yield { fact: connected };
    const pool = await cluster.pool(poolName).catch((error: unknown) => error);
    const there = `there is a pool ${poolName}`;
    if (pool instanceof Error || !isPool(pool)) {
      const makeIt = `ceph osd pool create ${poolName}\nrbd pool init ${poolName}`;
      yield isRadosError(pool, 'ENOENT')
        ? { fact: there, problem: `rbd_store_pool: there is no pool ${poolName}`, remedy: makeIt }
        : { fact: there, problem: `${user} may not open the pool ${poolName} (${codeOf(pool)})`, remedy: newCaps };
      return;
    }
    yield { fact: there };
    const initialized = await pool.isInitialized();
    yield {
      fact: `the pool ${poolName} is made for images`,
      ...(!initialized && {
        problem: `the pool ${poolName} is not initialised: Ceph warns of it, and some tools refuse it`,
        remedy: `rbd pool init ${poolName}`,
      }),
    };
    yield* probe(pool, user, newCaps);
  } finally {
    await cluster.close();
  }
}

const isPool = (value: unknown): value is Pool =>
  typeof value === 'object' && value !== null && 'isInitialized' in value;

const codeOf = (error: unknown): string => (isRadosError(error) ? error.code : String(error));

async function* monitors(conf: string, path: string): AsyncIterable<Finding> {
  const all = monitorsIn(conf);
  if (all.length === 0) {
    const remedy = `ceph config generate-minimal-conf > ${path}`;
    yield { fact: `${path} names monitors`, problem: `${path} names no monitors: mon_host is missing`, remedy };
  }
  for (const addresses of all) {
    const [{ host }] = addresses as [(typeof addresses)[number]];
    const where = `${host.includes(':') ? `[${host}]` : host}:${addresses.map(({ port }) => port).join(' or ')}`;
    const reached = (await Promise.all(addresses.map(answers))).includes(true);
    yield {
      fact: `a monitor answers at ${where}`,
      ...(!reached && {
        problem: `nothing answers at ${where}, where mon_host of ${path} has a monitor`,
        remedy: `ceph mon dump\nnc -vz ${host} ${addresses[0]!.port}`,
      }),
    };
  }
}

function refused(
  error: unknown,
  { user, keyring, caps, path }: Readonly<Record<'user' | 'keyring' | 'caps' | 'path', string>>,
): Pick<Finding, 'problem' | 'remedy'> {
  const getKey = `ceph auth get-or-create ${user} ${caps} -o ${keyring}`;
  switch (isRadosError(error) ? error.code : undefined) {
    case 'ENOENT':
      return { problem: `there is no keyring of ${user}: by default it is ${keyring}`, remedy: getKey };
    case 'EACCES':
      return { problem: `Ceph does not accept the key of ${user}`, remedy: `ceph auth get ${user} -o ${keyring}` };
    case 'EPERM':
      return { problem: `${user} has no rights at the monitors`, remedy: `ceph auth caps ${user} ${caps}` };
    case 'EINVAL':
      return { problem: `${path} or the keyring of ${user} cannot be understood`, remedy: getKey };
    case 'ETIMEDOUT':
      return { problem: 'no monitor lets this client in, in time: they may have no quorum', remedy: 'ceph -s' };
    default:
      return { problem: error instanceof Error ? error.message : String(error) };
  }
}

/** Does with an image of its own what an upload and a deletion do. */
async function* probe(pool: Pool, user: string, newCaps: string): AsyncIterable<Finding> {
  const fact = `${user} can make, write, snapshot, protect and remove an image in ${pool.name}`;
  const name = `glance-doctor-${randomUUID()}`;
  let doing = 'make an image';
  try {
    await pool.create(name, { size: 4096, order: 22, features: features.layering });
    try {
      const image = await pool.open({ name });
      try {
        doing = 'write into an image';
        await image.write(0, Buffer.alloc(4096, 1));
        doing = 'make a snapshot';
        await image.createSnapshot('snap');
        doing = 'protect a snapshot';
        await image.protectSnapshot('snap');
        doing = 'unprotect a snapshot, for which it looks for clones in all pools';
        await image.unprotectSnapshot('snap');
        await image.removeSnapshot('snap');
      } finally {
        await image.close();
      }
    } finally {
      await pool.remove(name);
    }
    yield { fact };
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EDQUOT' || code === 'ENOSPC') {
      const remedy = `ceph df\nceph osd pool get-quota ${pool.name}`;
      yield { fact, problem: `the pool ${pool.name} is full`, remedy };
      return;
    }
    const why =
      code === 'EPERM'
        ? ': it needs rwx on the pool. x is the right to call methods of object classes, by which images are made, ' +
          'found and locked; r and w alone do not let it make any'
        : ` (${code})`;
    yield { fact, problem: `${user} cannot ${doing} in ${pool.name}${why}`, remedy: newCaps };
  }
}
