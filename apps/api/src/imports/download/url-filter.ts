import { ServiceError } from '@glance/domain';
import type { ValuesOf } from '@glance/config';
import type { AddressGuard } from '@glance/store';
import type { importFilterOptions } from './download-options.js';

type FilterSettings = ValuesOf<typeof importFilterOptions>;

/** Says which URLs clients may send the service to, as far as the URL itself tells. */
export class UrlFilter {
  constructor(
    private readonly settings: FilterSettings,
    private readonly guard: AddressGuard,
  ) {}

  /** The URL in its one unambiguous form: a host `0x7f.1` is 127.0.0.1. Fails with `Invalid`. */
  check(text: string): URL {
    const s = this.settings;
    const url = URL.parse(text);
    if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
      throw refusal('it must begin with http:// or https://.');
    }
    const scheme = url.protocol.slice(0, -1);
    const host = url.hostname.replace(/^\[|\]$|\.$/g, '');
    const port = url.port || (scheme === 'http' ? '80' : '443');
    const told = 'the administrator has not allowed its';
    if (!passes(scheme, s.allowedSchemes, s.disallowedSchemes)) throw refusal(`${told} scheme, ${scheme}.`);
    if (!passes(host, s.allowedHosts, s.disallowedHosts)) throw refusal(`${told} host.`);
    if (!passes(port, s.allowedPorts, s.disallowedPorts)) throw refusal(`${told} port, ${port}.`);
    if (!this.guard.accepts(host)) throw refusal('its address is not one of the Internet.');
    return url;
  }
}

const refusal = (why: string): ServiceError => new ServiceError('Invalid', `The URL does not pass the filter: ${why}`);

function passes(value: string, allowed: readonly string[], disallowed: readonly string[]): boolean {
  const among = (list: readonly string[]): boolean => list.some((item) => item.toLowerCase() === value);
  return allowed.length > 0 ? among(allowed) : !among(disallowed);
}
