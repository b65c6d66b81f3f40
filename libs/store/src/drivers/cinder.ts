import { readFileSync } from 'node:fs';
import { declare, flag, integer, text, type ValuesOf } from '@glance/config';
import { ServiceError } from '@glance/domain';
import type { StoreDriver, StoreProperties } from '../driver.js';
import type { OpenstackAccount } from '../http/openstack-session.js';
import { CinderDriver } from './cinder/cinder-driver.js';

export const schemes = ['cinder'];

const unused = 'Accepted; volumes in NFS and in Ceph have no devices.';

export const options = declare('glance_store', {
  cinder_catalog_info: text({
    default: 'volumev3::publicURL',
    help: 'Where Cinder is in the catalogue, as type:name:interface; the name may be empty.',
    check: (value) => (catalogued(value) ? undefined : 'type:name:interface, such as volumev3::publicURL'),
  }),
  cinder_endpoint_template: text({
    help: 'URL of Cinder instead of that in the catalogue, such as http://cinder.example:8776/v3/%(project_id)s.',
  }),
  cinder_os_region_name: text({ help: 'Region of Cinder in the catalogue; the first one if absent.' }),
  cinder_ca_certificates_file: text({ help: "Path of certificates of authorities to trust. If absent, Node's are." }),
  cinder_api_insecure: flag({ default: false, help: 'Do not look at the certificates of Keystone and Cinder.' }),
  cinder_http_retries: integer({
    default: 3,
    min: 0,
    help: 'How often a request is repeated that Cinder does not answer, or for which it has no time.',
  }),
  cinder_state_transition_timeout: integer({
    default: 300,
    min: 1,
    help: 'Seconds that a volume may take to be made, extended or deleted.',
  }),
  cinder_store_auth_address: text({ help: 'URL of Keystone, such as https://keystone.example:5000/v3.' }),
  cinder_store_user_name: text({
    help: 'The user whose volumes the images are. Volumes of the users of images, as without it in Glance, are not made.',
  }),
  cinder_store_user_domain_name: text({ default: 'Default', help: 'Domain of the user.' }),
  cinder_store_password: text({ secret: true, help: "The user's password." }),
  cinder_store_project_name: text({ help: 'The project that the volumes of images are in.' }),
  cinder_store_project_domain_name: text({ default: 'Default', help: 'Domain of the project.' }),
  cinder_store_application_credential_id: text({ help: 'Id of an application credential, instead of the user.' }),
  cinder_store_application_credential_secret: text({ secret: true, help: 'Secret of the application credential.' }),
  cinder_volume_type: text({
    help:
      'Type of the volumes; that which Cinder takes by itself if absent. It must be of a back end in NFS or in Ceph, and ' +
      'should allow several attachments (multiattach) where several processes read an image at the same time.',
  }),
  cinder_mount_point_base: text({
    default: '/var/lib/glance/mnt',
    help:
      'Directory below which NFS shares are mounted, each in nfs/ and the SHA-256 of its name. One that is mounted there ' +
      'already is used; the service mounts others itself if it may (CAP_SYS_ADMIN), and leaves them mounted.',
    check: (value) => (value.startsWith('/') ? undefined : 'an absolute path'),
  }),
  cinder_do_extend_attached: flag({
    default: false,
    help:
      'Extend volumes of uploads of unknown size while they are attached, which not all back ends can. Otherwise they are ' +
      'detached for that.',
  }),
  cinder_attachment_retry_attempts: integer({
    default: 5,
    min: 1,
    help: 'How often it is tried to attach a volume that others have, with pauses of 1, 2, 4 seconds and so on.',
  }),
  cinder_use_multipath: flag({ default: false, help: unused }),
  cinder_enforce_multipath: flag({ default: false, help: unused }),
  rootwrap_config: text({ default: '/etc/glance/rootwrap.conf', help: 'Accepted; nothing is run as another user.' }),
});

export type CinderSettings = ValuesOf<typeof options>;

/** A store in volumes of Cinder. */
export function create(settings: CinderSettings, backend?: string): StoreDriver {
  const { cinderCaCertificatesFile: authorities } = settings;
  const { type, name, face } = catalogued(settings.cinderCatalogInfo)!;
  return new CinderDriver({
    cinder: {
      account: account(settings),
      wanted: {
        // What the service is called since it has had only one version.
        types: name === '' ? [type, 'block-storage'] : [name],
        interface: face,
        region: settings.cinderOsRegionName,
      },
      template: settings.cinderEndpointTemplate,
      retries: settings.cinderHttpRetries,
      patience: 60_000,
      tls: {
        ...(settings.cinderApiInsecure && { rejectUnauthorized: false }),
        ...(authorities !== undefined && { ca: certificates(authorities) }),
      },
    },
    backend,
    volumeType: settings.cinderVolumeType,
    transitionTime: settings.cinderStateTransitionTimeout * 1000,
    mountPointBase: settings.cinderMountPointBase.replace(/(?<=.)\/+$/, ''),
    extendAttached: settings.cinderDoExtendAttached,
    attempts: settings.cinderAttachmentRetryAttempts,
  });
}

/** Glance: the names that its clients read. */
export function properties(settings: CinderSettings): StoreProperties {
  return { volume_type: settings.cinderVolumeType ?? null, use_multipath: false };
}

function account(settings: CinderSettings): OpenstackAccount {
  const {
    cinderStoreApplicationCredentialId: id,
    cinderStoreApplicationCredentialSecret: secret,
    cinderStoreUserName: user,
    cinderStorePassword: password,
    cinderStoreProjectName: project,
  } = settings;
  const authUrl = settings.cinderStoreAuthAddress;
  const credential = id !== undefined && secret !== undefined ? { id, secret } : undefined;
  if (!authUrl || (!credential && (!user || !password || !project))) {
    const message =
      'A store of the kind cinder needs cinder_store_auth_address, cinder_store_user_name, cinder_store_password and ' +
      'cinder_store_project_name, or an application credential.';
    throw new ServiceError('StorageDenied', message);
  }
  return {
    authUrl,
    authVersion: 3,
    user,
    password,
    project: { name: project },
    userDomain: { name: settings.cinderStoreUserDomainName },
    projectDomain: { name: settings.cinderStoreProjectDomainName },
    applicationCredential: credential,
  };
}

function catalogued(text: string): { type: string; name: string; face: string } | undefined {
  const [, type, name, face] = /^([^:]+):([^:]*):(public|internal|admin)(?:URL)?$/.exec(text) ?? [];
  return type === undefined ? undefined : { type, name: name!, face: face! };
}

function certificates(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const message = 'The file that cinder_ca_certificates_file names cannot be read.';
    throw new ServiceError('StorageDenied', message, {}, { cause });
  }
}
