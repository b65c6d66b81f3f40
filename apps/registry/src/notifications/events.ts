import type { Caller, Image, Member, Task } from '@glance/domain';

/** Something that happened, in the words of Glance. */
export interface NotificationEvent {
  readonly type: string;
  readonly priority: 'INFO' | 'ERROR';
  /** JSON. Never has locations: those may hold credentials. */
  readonly payload: unknown;
  /** The image it is about, or whatever else. Those about the same are sent in their order. */
  readonly subject: string;
}

type More = Readonly<Record<string, unknown>>;

/** What image events say. `more` is what the type adds to that. */
export function imageEvent(type: string, image: Image, more: More = {}): NotificationEvent {
  const payload = {
    id: image.id,
    name: image.name,
    status: image.status,
    created_at: image.createdAt,
    updated_at: image.updatedAt,
    min_disk: image.minDisk,
    min_ram: image.minRam,
    protected: image.protected,
    checksum: image.checksum,
    owner: image.owner,
    disk_format: image.diskFormat,
    container_format: image.containerFormat,
    size: image.size,
    virtual_size: image.virtualSize,
    is_public: image.visibility === 'public',
    visibility: image.visibility,
    properties: image.properties,
    tags: image.tags,
    deleted: false,
    deleted_at: null,
    ...more,
  };
  return { type, priority: 'INFO', payload, subject: image.id };
}

/** The data of the image is on its way; to `store`, if there are several. */
export function prepareEvent(image: Image, store: string | undefined): NotificationEvent {
  return imageEvent('image.prepare', image, {
    ...importProgress(image),
    ...(store !== undefined && { backend: store }),
  });
}

/** The data of the image is stored. */
export function uploadEvent(image: Image): NotificationEvent {
  return imageEvent('image.upload', image, importProgress(image));
}

/** Glance: both are lists here, and text among the properties. */
function importProgress({ properties }: Image): More {
  const names = ['os_glance_importing_to_stores', 'os_glance_failed_import'];
  return Object.fromEntries(names.map((name) => [name, properties[name]?.split(',').filter(Boolean) ?? []]));
}

/** The data of an image could not be stored. Glance: the payload of errors is a sentence. */
export function uploadFailedEvent(imageId: string, reason: string): NotificationEvent {
  return {
    type: 'image.upload',
    priority: 'ERROR',
    payload: `Upload to image ${imageId} failed: ${reason}`,
    subject: imageId,
  };
}

export function deleteEvent(image: Image, deletedAt: string): NotificationEvent {
  return imageEvent('image.delete', image, { deleted: true, deleted_at: deletedAt });
}

/** Data of an image went to somebody: all that was asked for, or less. */
export function sendEvent(
  receiver: Caller,
  image: { readonly id: string; readonly owner: string | null },
  { bytes, of }: { readonly bytes: number; readonly of: number },
): NotificationEvent {
  const payload = {
    bytes_sent: bytes,
    image_id: image.id,
    owner_id: image.owner,
    receiver_tenant_id: receiver.projectId,
    receiver_user_id: receiver.userId,
  };
  return { type: 'image.send', priority: bytes < of ? 'ERROR' : 'INFO', payload, subject: image.id };
}

export function memberEvent(
  change: 'create' | 'update' | 'delete',
  { imageId, memberId, status, createdAt, updatedAt }: Member,
  deletedAt: string | null = null,
): NotificationEvent {
  const payload = {
    image_id: imageId,
    member_id: memberId,
    status,
    created_at: createdAt,
    updated_at: updatedAt,
    deleted: deletedAt !== null,
    deleted_at: deletedAt,
  };
  return { type: `image.member.${change}`, priority: 'INFO', payload, subject: imageId };
}

/** Glance: neither what was asked for nor what came of it is told, for both may hold secrets. */
export function taskEvent(type: string, task: Task): NotificationEvent {
  const payload = {
    id: task.id,
    type: task.type,
    status: task.status,
    result: null,
    owner: task.owner,
    message: null,
    expires_at: task.expiresAt,
    created_at: task.createdAt,
    updated_at: task.updatedAt,
    deleted: false,
    deleted_at: null,
  };
  return { type, priority: 'INFO', payload, subject: task.imageId ?? task.id };
}
