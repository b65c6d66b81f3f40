import { ServiceError } from '@glance/domain';

/** Where an object lies, as a location URL says it. */
export type SwiftLocation = {
  readonly container: string;
  readonly object: string;
} & (
  | { readonly kind: 'reference'; readonly reference: string }
  /** Glance: written without swift_store_config_file; the password that stands in it is passed over. */
  | { readonly kind: 'login'; readonly authUrl: string; readonly user: string }
  /** In the account of a project. */
  | { readonly kind: 'storage'; readonly account: string }
);

/** What a location URL says; `BadLocation` for one that is not Swift's. */
export function swiftLocation(url: string): SwiftLocation {
  const [, scheme, before, path] = /^swift(\+https?|\+config)?:\/\/(?:(.*)@)?([^@?#]+)$/i.exec(url) ?? [];
  const parts = path?.split('/') ?? [];
  const [object, container] = [parts.pop(), parts.pop()];
  const rest = parts.join('/');
  if (!object || !container || rest === '') {
    throw new ServiceError('BadLocation', 'The location is not that of an object in Swift.');
  }
  const place = { container: decoded(container), object: decoded(object) };
  if (scheme?.toLowerCase() === '+config') return { ...place, kind: 'reference', reference: rest };
  const base = `${scheme?.toLowerCase() === '+http' ? 'http' : 'https'}://${rest}`;
  if (before === undefined) return { ...place, kind: 'storage', account: base };
  // Only the last colon can be told to stand before the password.
  const user = decoded(before).replace(/:[^:]*$/, '');
  return { ...place, kind: 'login', authUrl: base, user };
}

/** The URL of an object of an account that the configuration has a name for. */
export function referenceUrl(reference: string, container: string, object: string): string {
  return `swift+config://${reference}/${container}/${object}`;
}

/** The URL of an object in the account of a project, whose own URL is `account`. */
export function storageUrl(account: string, container: string, object: string): string {
  return `swift+${account}/${container}/${object}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
