import { ServiceError } from '@glance/domain';
import { type KeystoneAccount, KeystoneClient } from '@glance/keystone';
import type { LimitSource, ProjectLimits } from './project-quotas.js';
import type { LimitSettings } from './quota-options.js';

const MIB = 1024 ** 2;

interface Endpoint {
  readonly service_id: string;
  readonly region_id: string | null;
}

interface Limit {
  readonly resource_name: string;
  readonly region_id: string | null;
}

/** As whom Keystone is asked for limits. */
export function limitAccount(settings: LimitSettings): KeystoneAccount {
  const { timeout, connectRetries } = settings;
  const times = { httpConnectTimeout: timeout, httpRequestMaxRetries: connectRetries };
  return { ...settings, ...times, group: '[oslo_limit]' };
}

/**
 * The unified limits of Keystone (Identity API v3, "Unified Limits"), enforced flat: what is set for a project counts,
 * or else what is registered for all. Asked each time, so that a change counts at once.
 */
export class KeystoneLimits implements LimitSource {
  readonly #client: KeystoneClient;
  readonly #settings: LimitSettings;
  #endpoint: Promise<Endpoint> | undefined;

  constructor(settings: LimitSettings) {
    this.#settings = settings;
    this.#client = new KeystoneClient(limitAccount(settings));
  }

  async of(project: string): Promise<ProjectLimits> {
    const { service_id: service, region_id: region } = await (this.#endpoint ??= this.#find());
    const ask = async <K extends string>(path: string, key: K) =>
      (await this.#client.get<Record<K, Limit[]>>(path))?.[key] ?? [];
    const [own, registered] = await Promise.all([
      ask(`/v3/limits?service_id=${service}&project_id=${encodeURIComponent(project)}`, 'limits'),
      ask(`/v3/registered_limits?service_id=${service}`, 'registered_limits'),
    ]);
    const valueOf = (name: string): number => {
      const fits = ({ resource_name, region_id }: Limit) =>
        resource_name === name && (region_id === null || region_id === region);
      // One for the region is more exact than one for all.
      const best = (limits: readonly Limit[]) =>
        limits.filter(fits).sort((a, b) => Number(!a.region_id) - Number(!b.region_id))[0];
      const limit = (best(own) ?? best(registered)) as { resource_limit?: number; default_limit?: number } | undefined;
      return limit?.resource_limit ?? limit?.default_limit ?? 0;
    };
    const bytes = (name: string) => inBytes(valueOf(name));
    return {
      storage: bytes('image_size_total'),
      staging: bytes('image_stage_total'),
      images: valueOf('image_count_total'),
      uploading: valueOf('image_count_uploading'),
    };
  }

  close(): void {
    this.#client.close();
  }

  async #find(): Promise<Endpoint> {
    const { endpointId } = this.#settings;
    try {
      const found =
        endpointId === undefined
          ? await this.#search()
          : (await this.#client.get<{ endpoint: Endpoint }>(`/v3/endpoints/${endpointId}`))?.endpoint;
      if (found) return found;
      const wanted = endpointId === undefined ? 'that fits endpoint_service_type and its kin' : endpointId;
      throw new ServiceError('Unavailable', `Keystone has no endpoint ${wanted}: check [oslo_limit].`);
    } catch (error) {
      this.#endpoint = undefined;
      throw error;
    }
  }

  async #search(): Promise<Endpoint | undefined> {
    const { endpointServiceType, endpointServiceName, endpointRegionName, endpointInterface } = this.#settings;
    const type = endpointServiceType ?? (endpointServiceName === undefined ? 'image' : undefined);
    const filters = Object.entries({ type, name: endpointServiceName }).flatMap(([key, value]) =>
      value === undefined ? [] : [`${key}=${encodeURIComponent(value)}`],
    );
    const services = await this.#client.get<{ services: { id: string }[] }>(`/v3/services?${filters.join('&')}`);
    const service = services?.services[0]?.id;
    if (service === undefined) return undefined;
    const side = endpointInterface.replace(/URL$/, '');
    const region = endpointRegionName === undefined ? '' : `&region_id=${encodeURIComponent(endpointRegionName)}`;
    const path = `/v3/endpoints?service_id=${service}&interface=${side}${region}`;
    return (await this.#client.get<{ endpoints: Endpoint[] }>(path))?.endpoints[0];
  }
}

const inBytes = (mebibytes: number): number => (mebibytes < 0 ? mebibytes : mebibytes * MIB);
