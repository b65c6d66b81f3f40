import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { declare, dict, flag, list, text, type ValuesOf } from '@glance/config';
import { ServiceError } from '@glance/domain';
import type { StoreDriver, StoreProperties } from '../driver.js';
import { AddressGuard } from '../http/address-guard.js';
import { network } from '../http/network.js';
import { HttpDriver } from './http/http-driver.js';

export const schemes = ['http', 'https'];

export const options = declare('glance_store', {
  https_ca_certificates_file: text({
    help: "Path of the certificates of authorities that web servers must have theirs from. If absent, Node's and the machine's.",
  }),
  https_insecure: flag({
    default: false,
    help:
      'Do not look at the certificates of web servers. Not with https_ca_certificates_file. Glance does not look at them ' +
      'unless it is told to.',
  }),
  http_proxy_information: dict({
    default: {},
    help: 'Proxies by the scheme of the URLs that they are asked for, such as http:192.0.2.1:3128,https:192.0.2.1:3128.',
    check: (proxies) =>
      Object.entries(proxies).every(([scheme, at]) => schemes.includes(scheme) && proxyUrl(at) !== undefined)
        ? undefined
        : 'proxies for http and https, such as http:192.0.2.1:3128',
  }),
  http_store_allowed_networks: list({
    default: [],
    ours: true,
    help:
      'Networks whose web servers may have images although they are private, of this machine, or otherwise not of the ' +
      'Internet, such as 10.20.0.0/16. Users register URLs, and could have the service ask where they cannot go.',
    check: (names) =>
      names.every((name) => network(name)) ? undefined : 'a list of networks such as 10.20.0.0/16, fd00:1::/48',
  }),
});

export type HttpSettings = ValuesOf<typeof options>;

/** A store of what web servers have. */
export function create(settings: HttpSettings): StoreDriver {
  const { httpsCaCertificatesFile: file, httpsInsecure: insecure, httpProxyInformation: proxies } = settings;
  const tls = file === undefined ? insecure && { rejectUnauthorized: false } : { ca: certificates(file) };
  const [http, https] = [proxyUrl(proxies['http']), proxyUrl(proxies['https'])];
  return new HttpDriver({
    guard: new AddressGuard(settings.httpStoreAllowedNetworks, 'http_store_allowed_networks'),
    patience: 60_000,
    // Glance: as many as it follows itself.
    mostRedirects: 5,
    ...(tls && { tls }),
    agents: {
      ...(http !== undefined && { http: new HttpAgent({ proxyEnv: { HTTP_PROXY: http } }) }),
      ...(https !== undefined && { https: new HttpsAgent({ proxyEnv: { HTTPS_PROXY: https } }) }),
    },
  });
}

/** Glance tells nothing of these. */
export function properties(): StoreProperties {
  return {};
}

function proxyUrl(at: string | undefined): string | undefined {
  if (at === undefined) return undefined;
  return URL.parse(/^https?:\/\//.test(at) ? at : `http://${at}`)?.href;
}

function certificates(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const message = 'The file that https_ca_certificates_file names cannot be read.';
    throw new ServiceError('StorageDenied', message, {}, { cause });
  }
}
