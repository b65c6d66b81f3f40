import { type Finding, isServiceError } from '@glance/domain';
import type { KeystoneAccount } from './keystone-account.js';
import { type CatalogueEntry, KeystoneClient, type Login } from './keystone-client.js';

/** Roles of which the service needs one to ask about tokens of others, as Keystone's own policy has it. */
const needed = ['admin', 'service'];

/** Seconds that clocks may differ: leases and tokens are about a minute and more. */
const skew = 5;

/** Whether the service can log in at Keystone and may do what it has to, and what of its catalogue leads to images. */
export async function* examineKeystone(
  account: KeystoneAccount,
  publicEndpoint: string | undefined,
): AsyncIterable<Finding> {
  const { group, authUrl = '' } = account;
  const fact = `${authUrl} lets the service in`;
  let login: Login;
  try {
    const client = new KeystoneClient(account);
    login = await client.introduce().finally(() => client.close());
  } catch (error) {
    if (!isServiceError(error)) throw error;
    const { cause } = error as { cause?: NodeJS.ErrnoException };
    const why = cause ? (cause.code ?? cause.message) : error.message;
    yield {
      fact,
      problem: `${group} auth_url: Keystone does not answer at ${authUrl} (${why})`,
      remedy: `curl ${authUrl}`,
    };
    return;
  }
  if (!login.token) {
    yield { fact, ...whyRefused(account, login.status) };
    return;
  }
  yield { fact };
  const { roles = [], system, catalog = [] } = login.token;
  yield {
    fact: 'it may ask about tokens of others',
    ...(system === undefined && !roles.some(({ name }) => needed.includes(name)) && lackingRole(account)),
  };
  yield clock(login.date);
  yield* endpoints(catalog, publicEndpoint);
}

function whyRefused(account: KeystoneAccount, status: number): Omit<Finding, 'fact'> {
  const { group, authUrl = '', username, userId } = account;
  const who =
    account.authType === 'v3applicationcredential' ? 'the application credential' : (username ?? userId ?? '?');
  if (status === 401) {
    const remedy = `openstack user show ${username ?? userId}\nopenstack user set --password-prompt ${username ?? userId}`;
    return {
      problem: `${group}: Keystone refuses the login of ${who}: user, password, domain or project is wrong`,
      remedy,
    };
  }
  return { problem: `${group} auth_url: ${authUrl} is not the Identity API v3 (${status})`, remedy: `curl ${authUrl}` };
}

function lackingRole({ group, username, projectName }: KeystoneAccount): Omit<Finding, 'fact'> {
  return {
    problem: `${group}: ${username} has none of the roles ${needed.join(', ')}, so Keystone tells it nothing of tokens of others`,
    remedy: `openstack role add --user ${username} --project ${projectName} service`,
  };
}

function clock(date: number | undefined): Finding {
  const fact = 'the clock is that of Keystone';
  const ahead = date === undefined ? 0 : Math.round((Date.now() - date) / 1000);
  if (Math.abs(ahead) <= skew) return { fact };
  return { fact, problem: `the clock is ${ahead} seconds ahead of Keystone's`, remedy: 'chronyc makestep' };
}

async function* endpoints(
  catalog: readonly CatalogueEntry[],
  publicEndpoint: string | undefined,
): AsyncIterable<Finding> {
  const found = catalog.filter(({ type }) => type === 'image').flatMap((entry) => entry.endpoints);
  const ours = publicEndpoint ?? 'http://HOST:9292';
  if (found.length === 0) {
    const create = ['public', 'internal', 'admin'].map((face) => `openstack endpoint create image ${face} ${ours}`);
    yield {
      fact: 'the catalogue leads to images',
      problem: 'the catalogue of Keystone has no endpoint of the type image: no client finds the service',
      remedy: ['openstack service create --name glance image', ...create].join('\n'),
    };
  }
  for (const { id, url, interface: face } of found) {
    const fact = `the ${face} endpoint of the catalogue, ${url}, leads to an image service`;
    const remedy = `openstack endpoint set --url ${ours} ${id}`;
    if (face === 'public' && publicEndpoint !== undefined && bare(url) !== bare(publicEndpoint)) {
      yield {
        fact,
        problem: `the public endpoint of the catalogue is ${url}, but public_endpoint ${publicEndpoint}`,
        remedy,
      };
      continue;
    }
    const problem = await notImages(url);
    yield {
      fact,
      ...(problem !== undefined && { problem: `the ${face} endpoint of the catalogue, ${url}, ${problem}`, remedy }),
    };
  }
}

const bare = (url: string): string => url.replace(/\/+(v2\/*)?$/, '');

async function notImages(url: string): Promise<string | undefined> {
  try {
    const reply = await fetch(`${bare(url)}/versions`, { signal: AbortSignal.timeout(5_000), redirect: 'manual' });
    const { versions } = (await reply.json()) as { versions?: unknown };
    return Array.isArray(versions) ? undefined : 'is something else than an image service';
  } catch (error) {
    const { cause } = error as { cause?: NodeJS.ErrnoException };
    return cause?.code === undefined ? 'is something else than an image service' : `does not answer (${cause.code})`;
  }
}
