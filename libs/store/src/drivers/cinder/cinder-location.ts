import { ServiceError } from '@glance/domain';

/** The id of the volume that a location names, and the store if it does: Glance writes that since it knows several. */
export function cinderLocation(url: string): { readonly volume: string; readonly store: string | undefined } {
  const [, store, volume] =
    /^cinder:\/\/(?:([^/?#]+)\/)?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/i.exec(url) ?? [];
  if (volume === undefined) throw new ServiceError('BadLocation', 'The location is not that of a volume of Cinder.');
  return { volume, store };
}

/** `cinder://<volume>`, or `cinder://<store>/<volume>` where there are several stores. */
export function cinderUrl(volume: string, store: string | undefined): string {
  return store === undefined ? `cinder://${volume}` : `cinder://${store}/${volume}`;
}
