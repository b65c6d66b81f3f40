import { choice, declare, flag, text, type ValuesOf } from '@glance/config';

/** Where the certificates lie by which signatures of images are checked. */
export const keyManagerOptions = declare('key_manager', {
  backend: text({
    default: 'barbican',
    aliases: ['api_class'],
    help:
      'Where certificates of signed images (img_signature_certificate_uuid) are: barbican, which is asked with the token ' +
      'of whoever uploads, or directory.',
  }),
  certificate_directory: text({
    ours: true,
    help: 'Directory of certificates in PEM, for backend = directory; the one that an image names is <uuid>.pem.',
  }),
});

/** How Barbican, or what speaks its protocol, is reached. */
export const barbicanOptions = declare('barbican', {
  barbican_endpoint: text({ help: 'Address of Barbican; by the catalogue of whoever uploads if left out.' }),
  barbican_api_version: text({ default: 'v1', help: 'Version of its API.' }),
  auth_endpoint: text({
    aliases: ['key_manager.auth_url'],
    help: 'Address of the Keystone whose catalogue says where Barbican is; [keystone_authtoken] auth_url if left out.',
  }),
  barbican_endpoint_type: choice(['public', 'internal', 'admin'], {
    default: 'public',
    help: 'Which of its addresses in the catalogue is used.',
  }),
  barbican_region_name: text({ help: 'Region of Barbican in the catalogue; any if left out.' }),
  verify_ssl: flag({ default: true, help: 'Check the certificates of Barbican and of that Keystone.' }),
  verify_ssl_path: text({ help: 'PEM file of the authorities that these are checked against.' }),
});

export type KeyManagerSettings = ValuesOf<typeof keyManagerOptions> & ValuesOf<typeof barbicanOptions>;
