import type { IncomingMessage } from 'node:http';

const mediaType = 'application/vnd.openstack.images-';

/** The same with one slash wherever the path has several, as Glance takes them: endpoints may end with one. */
function singleSlashes(url: string): string {
  if (!url.includes('//')) return url;
  const [path = ''] = url.split('?', 1);
  return path.replace(/\/{2,}/g, '/') + url.slice(path.length);
}

/** Leads every version of the API to `/v2`, whether it is named in the path or in `Accept`. */
export function versionRewrite(segments: ReadonlySet<string>): (request: IncomingMessage) => string {
  return (request) => {
    const url = singleSlashes(request.url ?? '/');
    // By far most requests.
    if (url.startsWith('/v2/')) return url;
    const [segment = ''] = url.slice(1).split(/[/?]/, 1);
    if (segment !== 'v2' && segments.has(segment)) return `/v2${url.slice(1 + segment.length)}`;
    const { accept } = request.headers;
    if (segment !== 'v2' && accept?.startsWith(mediaType) && segments.has(accept.slice(mediaType.length))) {
      return `/v2${url}`;
    }
    return url;
  };
}
