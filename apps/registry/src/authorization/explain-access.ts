import { type Caller, isServiceError, type Logger, ServiceError } from '@glance/domain';
import type { Explanation } from '@glance/policy';
import type { Database } from '../database/database.js';
import { findImage, findVisible } from '../images/find-image.js';
import type { AuthorizationSettings } from './authorization-options.js';
import { authorizationBy } from './authorization-by.js';
import { ownTarget, seenTarget } from './target.js';

/** What the registry would say to a caller; `hidden` as if the image did not exist. */
export interface Verdict extends Explanation {
  readonly outcome: 'allowed' | 'refused' | 'hidden';
}

/**
 * Whether `rule` would let the caller act upon an image, or upon what is his project's if there is none, and by which
 * check. `NotFound` for an image that nobody has; `Invalid` for a rule that neither Glance nor a policy file has.
 */
export async function explainAccess(
  database: Database,
  settings: AuthorizationSettings,
  logger: Logger,
  { rule, caller, imageId }: { readonly rule: string; readonly caller: Caller; readonly imageId?: string | undefined },
): Promise<Verdict> {
  const authorization = authorizationBy(settings, logger);
  if (!authorization.policies.current.names().includes(rule)) {
    throw new ServiceError('Invalid', `There is no policy rule "${rule}".`);
  }
  const rights = await authorization.of(caller);
  if (imageId === undefined) return verdict(await rights.explain(rule, ownTarget(caller)));
  const image = await findImage(database, imageId);
  if (image?.id !== imageId) throw new ServiceError('NotFound', `There is no image ${imageId}.`);
  const target = seenTarget(caller, image);
  try {
    await findVisible(database, rights, imageId);
  } catch (error) {
    if (!isServiceError(error, 'NotFound')) throw error;
    const seeing = await rights.explain('get_image', target);
    const { visibility, owner } = image;
    const because = [`the image is ${visibility} and of ${owner ?? 'nobody'}, and not shared with the caller`];
    return { ...seeing, ...(seeing.allowed && { because }), allowed: false, outcome: 'hidden' };
  }
  return verdict(await rights.explain(rule, target));
}

function verdict(explanation: Explanation): Verdict {
  return { ...explanation, outcome: explanation.allowed ? 'allowed' : 'refused' };
}
