import { ServiceError } from '@glance/domain';

/** A file of a datastore, as a location URL and requests for it name it. */
export interface VmwareFile {
  /** From the root of the datastore, without a slash before it. */
  readonly path: string;
  readonly datastore: string;
  /** Path of the datacenter in the inventory. */
  readonly datacenter: string;
}

/** What stands for the datacenter of an ESXi host where a location names none: "URL Syntax for HTTP Access". */
const onlyDatacenter = 'ha-datacenter';

/** Glance: the datastore comes before the datacenter, and the path is written as it is. */
export function vmwareUrl(host: string, { path, datastore, datacenter }: VmwareFile): string {
  return `vsphere://${host}/folder/${path}?${formEncoded({ dsName: datastore, dcPath: datacenter })}`;
}

/** What a location at this host says; `BadLocation` for one that is not vSphere's, or of another host. */
export function vmwareFile(host: string, url: string): VmwareFile {
  const [, authority, path, query] = /^vsphere:\/\/([^/?#]+)\/folder\/([^?#]+)\?([^?#]+)$/i.exec(url) ?? [];
  const parameters = new URLSearchParams(query);
  const datastore = parameters.get('dsName');
  if (authority === undefined || path === undefined || !datastore) {
    throw new ServiceError('BadLocation', 'The location is not that of a file in a datastore.');
  }
  if (authority.toLowerCase() !== host.toLowerCase()) {
    throw new ServiceError('BadLocation', 'The location is not at the host of vmware_server_host.');
  }
  if (path.split('/').some((part) => /^\.{0,2}$/.test(part))) {
    throw new ServiceError('BadLocation', 'The location has a part in its path that names no file.');
  }
  return { path, datastore, datacenter: parameters.get('dcPath') ?? onlyDatacenter };
}

/** Path and query of the requests for a file. */
export function requestPath({ path, datastore, datacenter }: VmwareFile): string {
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  return `/folder/${encoded}?${formEncoded({ dcPath: datacenter, dsName: datastore })}`;
}

/** The name of a file, or of a directory, for the methods of `FileManager`. */
export const datastorePath = (datastore: string, path: string): string => `[${datastore}] ${path}`;

const formEncoded = (parameters: Record<string, string>): string => new URLSearchParams(parameters).toString();
