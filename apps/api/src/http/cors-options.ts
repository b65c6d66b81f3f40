import { declare, flag, integer, list, type ValuesOf } from '@glance/config';

/** Which pages of other sites may use the API from a browser. Glance: oslo.middleware's options, with its own defaults. */
export const corsOptions = declare('cors', {
  allowed_origin: list({
    default: [],
    help: 'Origins whose pages may use the API, such as https://horizon.example.org; * for all. Empty: none.',
  }),
  allow_credentials: flag({ default: true, help: 'Whether they may send cookies and the like.' }),
  expose_headers: list({
    default: ['X-Image-Meta-Checksum', 'X-Auth-Token', 'X-Subject-Token', 'X-Service-Token', 'X-OpenStack-Request-ID'],
    help: 'Headers of answers that they may read.',
  }),
  max_age: integer({ default: 3600, min: 0, help: 'Seconds that browsers may remember an answer to their question.' }),
  allow_methods: list({ default: ['GET', 'PUT', 'POST', 'DELETE', 'PATCH'], help: 'Methods that they may use.' }),
  allow_headers: list({
    default: [
      'Content-MD5',
      'X-Image-Meta-Checksum',
      'X-Storage-Token',
      'Accept-Encoding',
      'X-Auth-Token',
      'X-Identity-Status',
      'X-Roles',
      'X-Service-Catalog',
      'X-User-Id',
      'X-Tenant-Id',
      'X-OpenStack-Request-ID',
    ],
    help: 'Headers that they may send, besides those that are always allowed.',
  }),
});

export type CorsSettings = ValuesOf<typeof corsOptions>;
