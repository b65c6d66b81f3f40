/** Lines of the configuration for a service whose callers log in; `identity` is the port that workers/identity.ts answers. */
export const loginOptions = (identity: number): string => `[paste_deploy]
flavor = keystone
[keystone_authtoken]
auth_url = http://127.0.0.1:${identity}
auth_type = password
username = bench
password = bench
`;
