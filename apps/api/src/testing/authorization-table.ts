/** Who asks. Tokens of Keystone carry implied roles too. */
export interface Persona {
  readonly name: string;
  readonly project: string | null;
  readonly roles: readonly string[];
}

export const personas: readonly Persona[] = [
  { name: 'admin', project: 'operators', roles: ['admin', 'member', 'reader'] },
  { name: 'owner, member', project: 'owner', roles: ['member', 'reader'] },
  { name: 'owner, reader', project: 'owner', roles: ['reader'] },
  { name: 'other project', project: 'other', roles: ['member', 'reader'] },
  { name: 'pending member', project: 'pending', roles: ['member', 'reader'] },
  { name: 'accepted member', project: 'accepted', roles: ['member', 'reader'] },
  { name: 'rejected member', project: 'rejected', roles: ['member', 'reader'] },
  { name: 'service', project: 'service', roles: ['service'] },
  { name: 'anonymous', project: null, roles: [] },
];

/** The projects that shared images are shared with, by the status of their membership. */
export const sharedWith = ['pending', 'accepted', 'rejected'] as const;

/** What is asked about: an image of the project `owner` that has data. */
export interface ImageKind {
  readonly name: string;
  readonly visibility: 'private' | 'shared' | 'community' | 'public';
  readonly state?: 'hidden' | 'deactivated' | 'protected';
}

export const imageKinds: readonly ImageKind[] = [
  { name: 'private', visibility: 'private' },
  { name: 'shared', visibility: 'shared' },
  { name: 'community', visibility: 'community' },
  { name: 'public', visibility: 'public' },
  { name: 'public, hidden', visibility: 'public', state: 'hidden' },
  { name: 'public, deactivated', visibility: 'public', state: 'deactivated' },
  { name: 'public, protected', visibility: 'public', state: 'protected' },
];

/** The status of the answer; for lists, whether the image is in it. */
export type Outcome = number | 'listed' | 'left out';

/** A request, and what is expected of it. */
export interface Row {
  readonly method: string;
  /** `{id}` is the image's, `{own}` the persona's project, `{accepted}` a project that the image is shared with. */
  readonly path: string;
  readonly note?: string;
  readonly body?: object;
  /** The image has no data yet; then it cannot be deactivated. */
  readonly queued?: true;
  expected(persona: Persona, kind: ImageKind): Outcome;
}

const isAdmin = ({ roles }: Persona): boolean => roles.includes('admin');
const has = ({ roles }: Persona, role: string): boolean => roles.includes(role);
const owns = ({ project }: Persona): boolean => project === 'owner';
const isMember = ({ project }: Persona): boolean => sharedWith.some((name) => name === project);
const isAnonymous = ({ project }: Persona): boolean => project === null;

/** Whether an image exists for somebody at all. */
function sees(persona: Persona, { visibility }: ImageKind): boolean {
  if (isAdmin(persona)) return true;
  if (isAnonymous(persona)) return visibility === 'public';
  if (!has(persona, 'reader')) return false;
  switch (visibility) {
    case 'public':
    case 'community':
      return true;
    case 'shared':
      return owns(persona) || isMember(persona);
    case 'private':
      return owns(persona);
  }
}

/** 404 for who does not see the image, 403 for who may not do this, and the rest for the others. */
function guarded(
  persona: Persona,
  kind: ImageKind,
  may: (persona: Persona) => boolean,
  otherwise: (persona: Persona) => Outcome,
): Outcome {
  if (!sees(persona, kind)) return 404;
  return isAdmin(persona) || may(persona) ? otherwise(persona) : 403;
}

const ownerMember = (persona: Persona): boolean => owns(persona) && has(persona, 'member');
const byOwner =
  (status: number): Row['expected'] =>
  (persona, kind) =>
    guarded(persona, kind, ownerMember, () => status);
const adminOnly =
  (status: number): Row['expected'] =>
  (persona, kind) =>
    guarded(
      persona,
      kind,
      () => false,
      () => status,
    );

/** Only shared images have members. */
const ofShared =
  (otherwise: number, expected: Row['expected']): Row['expected'] =>
  (persona, kind) => {
    if (!sees(persona, kind)) return 404;
    return kind.visibility === 'shared' ? expected(persona, kind) : otherwise;
  };

function listed(persona: Persona, kind: ImageKind, options: { community: boolean; hidden: boolean }): Outcome {
  if (!isAdmin(persona) && !isAnonymous(persona) && !has(persona, 'reader')) return 403;
  if ((kind.state === 'hidden') !== options.hidden) return 'left out';
  if (kind.visibility === 'community' && !options.community && !owns(persona)) return 'left out';
  // In a list, a shared image is there for those who have accepted it.
  if (kind.visibility === 'shared' && isMember(persona) && persona.project !== 'accepted') return 'left out';
  return sees(persona, kind) ? 'listed' : 'left out';
}

const nameChange = [{ op: 'replace', path: '/name', value: 'changed' }];
const visibilityChange = (value: string): object => [{ op: 'replace', path: '/visibility', value }];

/** Requests about one image. */
export const rows: readonly Row[] = [
  {
    method: 'GET',
    path: '/v2/images',
    expected: (persona, kind) => listed(persona, kind, { community: false, hidden: false }),
  },
  {
    method: 'GET',
    path: '/v2/images?visibility=all',
    expected: (persona, kind) => listed(persona, kind, { community: true, hidden: false }),
  },
  {
    method: 'GET',
    path: '/v2/images?os_hidden=true',
    expected: (persona, kind) => listed(persona, kind, { community: false, hidden: true }),
  },
  { method: 'GET', path: '/v2/images/{id}', expected: (persona, kind) => (sees(persona, kind) ? 200 : 404) },
  { method: 'PATCH', path: '/v2/images/{id}', note: 'name', body: nameChange, expected: byOwner(200) },
  {
    method: 'PATCH',
    path: '/v2/images/{id}',
    note: 'visibility public',
    body: visibilityChange('public'),
    expected: adminOnly(200),
  },
  {
    method: 'PATCH',
    path: '/v2/images/{id}',
    note: 'visibility community',
    body: visibilityChange('community'),
    expected: byOwner(200),
  },
  {
    method: 'PATCH',
    path: '/v2/images/{id}',
    note: 'another owner',
    body: [{ op: 'replace', path: '/owner', value: 'other' }],
    expected: adminOnly(200),
  },
  {
    method: 'DELETE',
    path: '/v2/images/{id}',
    expected: (persona, kind) => guarded(persona, kind, ownerMember, () => (kind.state === 'protected' ? 403 : 204)),
  },
  { method: 'PUT', path: '/v2/images/{id}/file', queued: true, expected: byOwner(204) },
  {
    method: 'GET',
    path: '/v2/images/{id}/file',
    expected: (persona, kind) =>
      guarded(
        persona,
        kind,
        (one) => has(one, 'member'),
        (one) => (kind.state === 'deactivated' && !isAdmin(one) ? 403 : 200),
      ),
  },
  {
    method: 'PUT',
    path: '/v2/cache/{id}',
    expected: (persona, kind) => adminOnly(kind.state === 'deactivated' ? 400 : 202)(persona, kind),
  },
  { method: 'GET', path: '/v2/cache/nodes/{id}', expected: adminOnly(200) },
  { method: 'DELETE', path: '/v2/cache/{id}', expected: adminOnly(204) },
  { method: 'PUT', path: '/v2/images/{id}/stage', queued: true, expected: byOwner(204) },
  {
    method: 'POST',
    path: '/v2/images/{id}/import',
    note: 'what is not staged',
    queued: true,
    body: { method: { name: 'glance-direct' } },
    expected: byOwner(409),
  },
  {
    method: 'POST',
    path: '/v2/images/{id}/import',
    note: 'a copy to all stores',
    body: { method: { name: 'copy-image' }, all_stores: true },
    expected: (persona, kind) => adminOnly(kind.state === 'deactivated' ? 409 : 202)(persona, kind),
  },
  { method: 'GET', path: '/v2/images/{id}/tasks', expected: (persona, kind) => (sees(persona, kind) ? 200 : 404) },
  { method: 'POST', path: '/v2/images/{id}/actions/deactivate', expected: byOwner(204) },
  { method: 'POST', path: '/v2/images/{id}/actions/reactivate', expected: byOwner(204) },
  { method: 'PUT', path: '/v2/images/{id}/tags/new', expected: byOwner(204) },
  { method: 'DELETE', path: '/v2/images/{id}/tags/old', expected: byOwner(204) },
  {
    method: 'POST',
    path: '/v2/images/{id}/members',
    body: { member: 'somebody' },
    expected: ofShared(403, byOwner(200)),
  },
  {
    method: 'GET',
    path: '/v2/images/{id}/members',
    expected: ofShared(403, () => 200),
  },
  {
    method: 'GET',
    path: '/v2/images/{id}/members/{accepted}',
    note: 'a membership, of whomever',
    expected: ofShared(404, (persona) =>
      isAdmin(persona) || owns(persona) || persona.project === 'accepted' ? 200 : 404,
    ),
  },
  {
    method: 'GET',
    path: '/v2/images/{id}/members/{own}',
    note: 'the own membership',
    expected: ofShared(404, (persona) => (isMember(persona) ? 200 : 404)),
  },
  {
    method: 'PUT',
    path: '/v2/images/{id}/members/{accepted}',
    note: 'a membership, of whomever',
    body: { status: 'rejected' },
    expected: ofShared(403, (persona) => {
      if (isAdmin(persona) || persona.project === 'accepted') return 200;
      return owns(persona) ? 403 : 404;
    }),
  },
  {
    method: 'PUT',
    path: '/v2/images/{id}/members/{own}',
    note: 'the own membership',
    body: { status: 'accepted' },
    expected: ofShared(403, (persona) => (isMember(persona) ? 200 : 404)),
  },
  {
    method: 'DELETE',
    path: '/v2/images/{id}/members/{accepted}',
    note: 'a membership, of whomever',
    expected: ofShared(403, (persona) => {
      if (isAdmin(persona) || ownerMember(persona)) return 204;
      return owns(persona) || persona.project === 'accepted' ? 403 : 404;
    }),
  },
];

/** Requests that are about no image that exists. */
export interface PlainRow {
  readonly method: string;
  readonly path: string;
  readonly note?: string;
  readonly body?: object;
  expected(persona: Persona): number;
}

const mayCreate = (persona: Persona): boolean => isAdmin(persona) || has(persona, 'member');
const everybody = (): number => 200;

const adminsOnly =
  (status: number): PlainRow['expected'] =>
  (persona) =>
    isAdmin(persona) ? status : 403;

const cacheRows: readonly PlainRow[] = [
  { method: 'GET', path: '/v2/cache', expected: adminsOnly(200) },
  { method: 'DELETE', path: '/v2/cache', expected: adminsOnly(204) },
  { method: 'POST', path: '/v2/cache/clean', expected: adminsOnly(200) },
  { method: 'POST', path: '/v2/cache/prune', expected: adminsOnly(200) },
  { method: 'GET', path: '/v2/cached_images', expected: adminsOnly(200) },
  { method: 'DELETE', path: '/v2/cached_images', expected: adminsOnly(200) },
  { method: 'GET', path: '/v2/queued_images', expected: adminsOnly(200) },
  { method: 'DELETE', path: '/v2/queued_images', expected: adminsOnly(200) },
];

export const plainRows: readonly PlainRow[] = [
  {
    method: 'POST',
    path: '/v2/images',
    body: {},
    expected: (persona) => (mayCreate(persona) ? 201 : 403),
  },
  {
    method: 'POST',
    path: '/v2/images',
    note: 'public',
    body: { visibility: 'public' },
    expected: (persona) => (isAdmin(persona) ? 201 : 403),
  },
  {
    method: 'POST',
    path: '/v2/images',
    note: 'community',
    body: { visibility: 'community' },
    expected: (persona) => (mayCreate(persona) ? 201 : 403),
  },
  {
    method: 'POST',
    path: '/v2/images',
    note: 'for another project',
    body: { owner: 'somebody' },
    expected: (persona) => (isAdmin(persona) ? 201 : 403),
  },
  { method: 'GET', path: '/v2/tasks', expected: (persona) => (isAdmin(persona) ? 200 : 403) },
  { method: 'GET', path: '/v2/scrubber/runs', expected: (persona) => (isAdmin(persona) ? 200 : 403) },
  {
    method: 'POST',
    path: '/v2/tasks',
    note: 'an empty one',
    body: {},
    expected: (persona) => (isAdmin(persona) ? 400 : 403),
  },
  ...cacheRows,
  { method: 'GET', path: '/v2/schemas/image', expected: everybody },
  { method: 'GET', path: '/v2/info/import', expected: everybody },
  { method: 'GET', path: '/v2/info/usage', expected: everybody },
  { method: 'GET', path: '/v2/info/stores', expected: everybody },
  {
    method: 'GET',
    path: '/v2/info/stores/detail',
    expected: (persona) => (isAdmin(persona) || has(persona, 'service') ? 200 : 403),
  },
];

/** The page of the documentation that says all this. */
export function authorizationPage(): string {
  const personaNames = personas.map(({ name }) => name);
  const plain = plainRows.map((row) => [titleOf(row), ...personas.map((persona) => String(row.expected(persona)))]);
  const sections = rows.map((row) => {
    const lines = imageKinds
      .filter((kind) => !row.queued || kind.state !== 'deactivated')
      .map((kind) => [kind.name, ...personas.map((persona) => String(row.expected(persona, kind)))]);
    return `## ${titleOf(row)}\n\n${markdownTable(['image', ...personaNames], lines)}`;
  });
  return [
    '# Who may do what',
    'Made from the table that the tests of the api go through, request by request; do not edit. These are the default ' +
      'rules. The images belong to the project “owner”, and those that are shared are shared with three projects, which ' +
      'have not answered yet, accepted or rejected. “service” has the role `service` and no other. “anonymous” is who ' +
      'comes without a token where `allow_anonymous_access` is on; where it is off, every answer is 401.',
    '## Without an image',
    markdownTable(['request', ...personaNames], plain),
    ...sections,
    '',
  ]
    .join('\n\n')
    .replace(/\n+$/, '\n');
}

function titleOf({ method, path, note }: Pick<Row, 'method' | 'path' | 'note'>): string {
  const written = path.replace('{accepted}', '{member}').replace('{own}', '{member}');
  return `${method} ${written}${note === undefined ? '' : ` – ${note}`}`;
}

function markdownTable(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(3, title.length, ...lines.map((line) => line[column]!.length)));
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  return [row(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...lines.map(row)].join('\n');
}
