import { jsonOf, type Operation, paging } from './operation.js';

const comparable = 'A time in ISO 8601, after one of gt:, gte:, lt:, lte:, eq:, neq:.';
const oneOrSeveral = 'A value, or several: in:a,b.';

const filters: Readonly<Record<string, string>> = {
  ...paging,
  sort: 'key[:asc|desc], several with commas between.',
  name: oneOrSeveral,
  status: oneOrSeveral,
  id: oneOrSeveral,
  disk_format: oneOrSeveral,
  container_format: oneOrSeveral,
  created_at: comparable,
  updated_at: comparable,
  size_min: 'Bytes at least.',
  size_max: 'Bytes at most.',
  visibility: 'public, private, shared, community or all.',
  member_status: 'Of images shared with the caller: pending, accepted, rejected or all.',
  owner: 'A project.',
  protected: 'true or false.',
  os_hidden: 'true for hidden images only.',
  tag: 'A tag that the images have; repeated: all of them. Any other name is that of a custom property.',
};

const images: readonly Operation[] = [
  {
    route: 'POST /v2/images',
    tag: 'images',
    summary: 'Registers an image.',
    body: jsonOf('NewImage'),
    answers: { 201: 'Image' },
  },
  { route: 'GET /v2/images', tag: 'images', summary: 'Images.', query: filters, answers: { 200: 'Images' } },
  { route: 'GET /v2/images/{id}', tag: 'images', summary: 'An image.', answers: { 200: 'Image' } },
  {
    route: 'PATCH /v2/images/{id}',
    tag: 'images',
    summary: 'Changes an image.',
    body: {
      'application/openstack-images-v2.1-json-patch': 'ImagePatch',
      'application/openstack-images-v2.0-json-patch': 'OldImagePatch',
    },
    answers: { 200: 'Image' },
  },
  { route: 'DELETE /v2/images/{id}', tag: 'images', summary: 'Deletes an image.', answers: { 204: null } },
  {
    route: 'POST /v2/images/{id}/actions/deactivate',
    tag: 'images',
    summary: 'Withholds the data of an image.',
    answers: { 204: null },
  },
  {
    route: 'POST /v2/images/{id}/actions/reactivate',
    tag: 'images',
    summary: 'Gives out the data of an image again.',
    answers: { 204: null },
  },
  { route: 'PUT /v2/images/{id}/tags/{tag}', tag: 'images', summary: 'Adds a tag.', answers: { 204: null } },
  { route: 'DELETE /v2/images/{id}/tags/{tag}', tag: 'images', summary: 'Removes a tag.', answers: { 204: null } },
];

const bytes = { 'application/octet-stream': null };
const download = { range: 'Which bytes.', 'if-none-match': 'What the client has already.', 'if-range': 'The same.' };

const preference = { prefer: 'Stores to read from, in this order, separated by commas; else by their weight.' };

const data: readonly Operation[] = [
  {
    route: 'PUT /v2/images/{id}/file',
    tag: 'data',
    summary: 'Uploads the data of an image.',
    headers: { 'x-image-meta-store': 'Where to keep it.', 'x-openstack-image-size': 'Its bytes.' },
    body: bytes,
    answers: { 204: null },
  },
  {
    route: 'GET /v2/images/{id}/file',
    tag: 'data',
    summary: 'Downloads the data of an image.',
    query: preference,
    headers: download,
    answers: { 200: 'bytes', 204: null, 206: 'bytes', 304: null },
  },
  {
    route: 'HEAD /v2/images/{id}/file',
    tag: 'data',
    summary: 'What a download would bring.',
    query: preference,
    headers: download,
    answers: { 200: null, 204: null, 206: null, 304: null },
  },
  {
    route: 'PUT /v2/images/{id}/stage',
    tag: 'data',
    summary: 'Uploads data that is to be imported.',
    body: bytes,
    answers: { 204: null },
  },
  {
    route: 'POST /v2/images/{id}/import',
    tag: 'data',
    summary: 'Imports the data of an image.',
    headers: { 'x-image-meta-store': 'Where to keep it.' },
    body: jsonOf('Import'),
    answers: { 202: null },
  },
  { route: 'GET /v2/images/{id}/tasks', tag: 'data', summary: 'Imports of an image.', answers: { 200: 'ImageTasks' } },
  {
    route: 'POST /v2/images/{id}/locations',
    tag: 'data',
    summary: 'Registers data that lies somewhere already.',
    body: jsonOf('NewLocation'),
    answers: { 202: null },
  },
  {
    route: 'GET /v2/images/{id}/locations',
    tag: 'data',
    summary: 'Where the data lies, for other services.',
    answers: { 200: 'Locations' },
  },
  {
    route: 'DELETE /v2/stores/{store}/{id}',
    tag: 'data',
    summary: 'Removes one copy of the data.',
    answers: { 204: null },
  },
];

const members: readonly Operation[] = [
  {
    route: 'POST /v2/images/{id}/members',
    tag: 'members',
    summary: 'Shares an image with a project.',
    body: jsonOf('NewMember'),
    answers: { 200: 'Member' },
  },
  {
    route: 'GET /v2/images/{id}/members',
    tag: 'members',
    summary: 'Whom an image is shared with.',
    answers: { 200: 'Members' },
  },
  { route: 'GET /v2/images/{id}/members/{member}', tag: 'members', summary: 'A member.', answers: { 200: 'Member' } },
  {
    route: 'PUT /v2/images/{id}/members/{member}',
    tag: 'members',
    summary: 'Says what the member thinks of it.',
    body: jsonOf('MemberStatus'),
    answers: { 200: 'Member' },
  },
  {
    route: 'DELETE /v2/images/{id}/members/{member}',
    tag: 'members',
    summary: 'Shares an image no more.',
    answers: { 204: null },
  },
];

const deleted: readonly Operation[] = [
  {
    route: 'GET /v2/deleted_images',
    tag: 'images',
    summary: 'Deleted images whose data is still there.',
    query: { limit: paging['limit']!, marker: paging['marker']! },
    answers: { 200: 'DeletedImages' },
  },
  {
    route: 'POST /v2/deleted_images/{id}/restore',
    tag: 'images',
    summary: 'Brings a deleted image back.',
    answers: { 204: null },
  },
  {
    route: 'GET /v2/scrubber/runs',
    tag: 'images',
    summary: 'What scrubbers did, the newest first, and what waits for them.',
    query: { limit: paging['limit']!, marker: paging['marker']! },
    answers: { 200: 'ScrubberRuns' },
  },
];

/** What is done with images. */
export const imageOperations: readonly Operation[] = [...images, ...data, ...members, ...deleted];
