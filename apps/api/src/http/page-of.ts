import { ServiceError } from '@glance/domain';
import type { ApiSettings } from '../config.js';

/** The `limit` and `marker` of a list; `Invalid` for a limit that is no number. */
export function pageOf(
  query: URLSearchParams,
  { limitParamDefault, apiLimitMax }: Pick<ApiSettings, 'limitParamDefault' | 'apiLimitMax'>,
): { limit: number; marker?: string } {
  const marker = query.get('marker');
  const limit = Math.min(count(query.get('limit')) ?? limitParamDefault, apiLimitMax);
  return { limit, ...(marker !== null && { marker }) };
}

/** The link to what comes after a page of `items`, if it is full: where there may be more. */
export function nextLink(
  path: string,
  { limit }: { limit: number },
  items: readonly { readonly id: string }[],
): { next?: string } {
  const last = items.length === limit ? items.at(-1) : undefined;
  return last ? { next: `${path}?limit=${limit}&marker=${last.id}` } : {};
}

function count(text: string | null): number | undefined {
  if (text === null) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new ServiceError('Invalid', 'limit must be a number from 0 on.');
}
