import { type ErrorCode, ServiceError } from '@glance/domain';

const faults: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  FileNotFound: ['DataNotFound', 'The store has no such data.'],
  FileAlreadyExists: ['DataExists', 'The store has data of this image already.'],
  FileLocked: ['DataInUse', 'Somebody has the file of the image open.'],
  NoDiskSpace: ['StorageFull', 'The datastore has no room left.'],
  FileTooLarge: ['StorageFull', 'The image is larger than a file of the datastore can be.'],
  NoPermission: ['StorageDenied', 'vSphere gives vmware_server_username no right to do this.'],
  InvalidLogin: ['StorageDenied', 'vSphere does not accept vmware_server_username with vmware_server_password.'],
  NotAuthenticated: ['StoreUnavailable', 'vSphere has ended the session.'],
};

/** What a fault of the vSphere Web Services API means, by the name of its type; `details.fault` is that name. */
export function faultError(fault: string): ServiceError {
  // The elements of faults in SOAP have a name of their own.
  const name = fault.replace(/Fault$/, '');
  const [code, message] = faults[name] ?? ['StoreUnavailable', `vSphere cannot do it (${name}).`];
  return new ServiceError(code, message, { fault: name });
}

/** What the status of an answer to a request for a file means. */
export function fileError(status: number): ServiceError {
  const [code, message] = faults[meanings[status] ?? ''] ?? ['StoreUnavailable', `vSphere answered ${status}.`];
  return new ServiceError(code, message, { status });
}

const meanings: Readonly<Record<number, string>> = {
  401: 'NoPermission',
  403: 'NoPermission',
  404: 'FileNotFound',
  409: 'FileAlreadyExists',
  507: 'NoDiskSpace',
};
