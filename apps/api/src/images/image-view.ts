import type { Image, ImageLocation, Member } from '@glance/domain';

/** What the configuration says about how much of an image is shown. */
export interface ImageViewSettings {
  readonly directUrl: boolean;
  readonly locations: boolean;
  /** Whether stores have names that clients know. */
  readonly stores: boolean;
  /** Locations as they are to be shown. */
  readonly current?: (locations: readonly ImageLocation[]) => readonly ImageLocation[];
}

/** An image in the form in which clients know it. */
export type ShownImage = Readonly<Record<string, unknown>>;

/** Glance: where data is staged is nobody's business. */
const stageHost = 'os_glance_stage_host';

/** Says how images are shown. Glance: the order of the keys is the order in which it writes them. */
export function imageView(settings: ImageViewSettings): (image: Image) => ShownImage {
  const shown = settings.locations || settings.directUrl || settings.stores;
  return (image) => {
    const locations = (shown && settings.current?.(image.locations)) || image.locations;
    const view: Record<string, unknown> = {};
    for (const name in image.properties) if (name !== stageHost) view[name] = image.properties[name];
    view['name'] = image.name;
    view['disk_format'] = image.diskFormat;
    view['container_format'] = image.containerFormat;
    view['visibility'] = image.visibility;
    view['size'] = image.size;
    view['virtual_size'] = image.virtualSize;
    view['status'] = image.status;
    view['checksum'] = image.checksum;
    view['protected'] = image.protected;
    view['min_ram'] = image.minRam;
    view['min_disk'] = image.minDisk;
    view['owner'] = image.owner;
    view['os_hidden'] = image.osHidden;
    view['os_hash_algo'] = image.osHashAlgo;
    view['os_hash_value'] = image.osHashValue;
    view['id'] = image.id;
    view['created_at'] = image.createdAt;
    view['updated_at'] = image.updatedAt;
    if (settings.locations) view['locations'] = locations.map(({ url, metadata }) => ({ url, metadata }));
    if (settings.directUrl && locations[0]) view['direct_url'] = locations[0].url;
    view['tags'] = image.tags;
    view['self'] = `/v2/images/${image.id}`;
    view['file'] = `/v2/images/${image.id}/file`;
    view['schema'] = '/v2/schemas/image';
    if (settings.stores && locations.length > 0) view['stores'] = storesOf(locations);
    return view;
  };
}

function storesOf(locations: readonly ImageLocation[]): string {
  return locations.map(({ metadata }) => metadata['store'] ?? '').join(',');
}

/** A member in the form in which clients know it. */
export function memberView(member: Member): Readonly<Record<string, unknown>> {
  return {
    member_id: member.memberId,
    image_id: member.imageId,
    status: member.status,
    created_at: member.createdAt,
    updated_at: member.updatedAt,
    schema: '/v2/schemas/member',
  };
}
