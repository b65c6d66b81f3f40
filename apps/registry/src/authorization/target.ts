import type { Caller, Image } from '@glance/domain';
import type { Target } from '@glance/policy';

/**
 * An image as policy rules see it: `%(owner)s`, `%(project_id)s` (the same), `%(visibility)s`, …, custom properties by
 * their names. Never a property in the place of an attribute.
 */
export function imageTarget(image: Image, memberId: string | null = null): Target {
  return {
    ...image.properties,
    id: image.id,
    image_id: image.id,
    name: image.name,
    owner: image.owner,
    project_id: image.owner,
    member_id: memberId,
    visibility: image.visibility,
    status: image.status,
    disk_format: image.diskFormat,
    container_format: image.containerFormat,
    size: image.size,
    virtual_size: image.virtualSize,
    checksum: image.checksum,
    os_hash_algo: image.osHashAlgo,
    os_hash_value: image.osHashValue,
    min_disk: image.minDisk,
    min_ram: image.minRam,
    protected: image.protected,
    os_hidden: image.osHidden,
    created_at: image.createdAt,
    updated_at: image.updatedAt,
  };
}

/** An image that the caller sees: who sees a shared image of another project is a member of it. */
export function seenTarget({ projectId }: Caller, image: Image): Target {
  const member = image.visibility === 'shared' && image.owner !== projectId;
  return imageTarget(image, member ? projectId : null);
}

/** What the caller asks for when it is about no image in particular: what is its project's. */
export function ownTarget({ projectId }: Caller): Target {
  return { project_id: projectId ?? nobodysProject, owner: projectId ?? nobodysProject };
}

/** What stands for the project of a caller without one: no image is of it. */
export const nobodysProject = '';
