import { type Caller, type Images, isServiceError, type Logger, type Members } from '@glance/domain';
import type { Stores } from '@glance/store';

export interface ImageSharingParts {
  readonly images: Images;
  readonly members: Members;
  readonly stores: Stores;
  readonly logger: Logger;
}

/** Milliseconds that a store may take to change rights. */
const shareTime = 30_000;

/** Has stores that can, let those read the data of an image on their own who may see the image. */
export class ImageSharing {
  constructor(private readonly parts: ImageSharingParts) {}

  /** Who may see the image has changed, or where its data lies. A store that fails is told of: the change stands. */
  async changed(caller: Caller, id: string): Promise<void> {
    const { images, stores, logger } = this.parts;
    if (!stores.shares) return;
    try {
      const { locations, visibility } = await images.show(caller, id);
      const everybody = visibility === 'public' || visibility === 'community';
      const projects = visibility === 'shared' ? await this.membersOf(caller, id) : [];
      await stores.share(locations, { everybody, projects }, AbortSignal.timeout(shareTime));
    } catch (error) {
      logger.warn('A store still gives the former rights to an image.', { imageId: id, error });
    }
  }

  private async membersOf(caller: Caller, id: string): Promise<string[]> {
    try {
      return (await this.parts.members.list(caller, id)).map(({ memberId }) => memberId);
    } catch (error) {
      if (isServiceError(error, 'Forbidden', 'NotFound')) return [];
      throw error;
    }
  }
}
