/** As whom a service logs in at Keystone v3, and how it reaches it. Names and ids are those of keystoneauth's options. */
export interface KeystoneAccount {
  /** The group of options that says all this, for messages: `[keystone_authtoken]`. */
  readonly group: string;
  /** With or without `/v3` at its end. */
  readonly authUrl?: string | undefined;
  readonly authType: 'password' | 'v3password' | 'v3applicationcredential';
  readonly username?: string | undefined;
  readonly userId?: string | undefined;
  readonly password?: string | undefined;
  readonly userDomainId?: string | undefined;
  readonly userDomainName?: string | undefined;
  readonly projectId?: string | undefined;
  readonly projectName?: string | undefined;
  readonly projectDomainId?: string | undefined;
  readonly projectDomainName?: string | undefined;
  /** `all`: the token is for the whole cloud instead of a project. */
  readonly systemScope?: string | undefined;
  readonly applicationCredentialId?: string | undefined;
  readonly applicationCredentialSecret?: string | undefined;
  /** Paths of PEM files. */
  readonly cafile?: string | undefined;
  readonly certfile?: string | undefined;
  readonly keyfile?: string | undefined;
  /** Certificates are not checked. */
  readonly insecure: boolean;
  /** Seconds. */
  readonly httpConnectTimeout: number;
  readonly httpRequestMaxRetries: number;
}
