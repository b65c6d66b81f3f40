import { declare, integer, list } from '@glance/config';
import { network } from '@glance/store';

const isPort = (text: string): boolean => /^\d{1,5}$/.test(text) && Number(text) <= 65_535;

const ports = (names: readonly string[]): string | undefined =>
  names.every(isPort) ? undefined : 'a list of ports, numbers up to 65535';

/** Which addresses the service may be sent to. Glance: on each level, a list of what is allowed makes that of what is not void. */
export const importFilterOptions = declare('import_filtering_opts', {
  allowed_schemes: list({ default: ['http', 'https'], help: 'Schemes of URLs that may be imported from.' }),
  disallowed_schemes: list({ default: [], help: 'Those that may not, if allowed_schemes is empty.' }),
  allowed_hosts: list({ default: [], help: 'Hosts that may be imported from; others may not. Empty: all.' }),
  disallowed_hosts: list({ default: [], help: 'Those that may not, if allowed_hosts is empty.' }),
  allowed_ports: list({
    default: ['80', '443'],
    help: 'Ports that may be imported from; of a URL that names none it is 80 or 443.',
    check: ports,
  }),
  disallowed_ports: list({ default: [], help: 'Those that may not, if allowed_ports is empty.', check: ports }),
  allowed_networks: list({
    default: [],
    ours: true,
    help:
      'Networks that may be imported from although they are private, of this machine, or otherwise not of the ' +
      'Internet, such as 10.20.0.0/16. The addresses of every host, and of every host that is redirected to, are ' +
      'looked at when a connection is made.',
    check: (names) =>
      names.every((name) => network(name)) ? undefined : 'a list of networks such as 10.20.0.0/16, fd00:1::/48',
  }),
});

/** What is taken over from the Glance of another region. */
export const glanceDownloadOptions = declare('glance_download_properties', {
  extra_properties: list({
    default: ['hw_', 'trait:', 'os_distro', 'os_secure_boot', 'os_type'],
    help: 'Beginnings of the names of properties that an import by glance-download takes over.',
  }),
});

/** How much patience downloads have. */
export const downloadOptions = declare('DEFAULT', {
  web_download_patience: integer({
    default: 60,
    min: 1,
    ours: true,
    help: 'Seconds that a server from which an image is imported may be silent.',
  }),
  web_download_retries: integer({
    default: 5,
    min: 0,
    ours: true,
    help: 'How often in a row a request of such a server may fail, or end without a mebibyte more than the one before.',
  }),
  web_download_deadline: integer({
    default: 86_400,
    min: 1,
    ours: true,
    help: 'Seconds that such a download may take, retries included.',
  }),
});
