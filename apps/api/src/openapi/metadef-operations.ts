import { jsonOf, type Operation, paging } from './operation.js';

const root = '/v2/metadefs';
const one = `${root}/namespaces/{namespace}`;

interface Kind {
  /** The last part of the path of all of them. */
  readonly path: string;
  /** What the path of one ends in. */
  readonly parameter: string;
  readonly what: string;
  readonly component: string;
  readonly list: string;
}

function definitionsOf({ path, parameter, what, component, list }: Kind): readonly Operation[] {
  const all = `${one}/${path}`;
  const each = `${all}/{${parameter}}`;
  const tag = 'metadata definitions';
  return [
    { route: `GET ${all}`, tag, summary: `Each ${what} of a namespace.`, query: paging, answers: { 200: list } },
    { route: `DELETE ${all}`, tag, summary: `Deletes each ${what} of a namespace.`, answers: { 204: null } },
    { route: `GET ${each}`, tag, summary: `A ${what}.`, answers: { 200: component } },
    { route: `PUT ${each}`, tag, summary: `Replaces a ${what}.`, body: jsonOf(component), answers: { 200: component } },
    { route: `DELETE ${each}`, tag, summary: `Deletes a ${what}.`, answers: { 204: null } },
  ];
}

const tag = 'metadata definitions';

const namespaces: readonly Operation[] = [
  {
    route: `GET ${root}/namespaces`,
    tag,
    summary: 'Namespaces.',
    query: { ...paging, visibility: 'public or private.', resource_types: 'Names, with commas between.' },
    answers: { 200: 'Namespaces' },
  },
  {
    route: `POST ${root}/namespaces`,
    tag,
    summary: 'Creates a namespace, with all that is in it.',
    body: jsonOf('Namespace'),
    answers: { 201: 'Namespace' },
  },
  {
    route: `GET ${one}`,
    tag,
    summary: 'A namespace, with all that is in it.',
    query: { resource_type: 'Whose prefix the names of properties are to have.' },
    answers: { 200: 'Namespace' },
  },
  {
    route: `PUT ${one}`,
    tag,
    summary: 'Replaces the attributes of a namespace.',
    body: jsonOf('Namespace'),
    answers: { 200: 'Namespace' },
  },
  { route: `DELETE ${one}`, tag, summary: 'Deletes a namespace and all that is in it.', answers: { 204: null } },
];

const resourceTypes: readonly Operation[] = [
  { route: `GET ${root}/resource_types`, tag, summary: 'Types of resources.', answers: { 200: 'ResourceTypes' } },
  {
    route: `GET ${one}/resource_types`,
    tag,
    summary: 'What a namespace is meant for.',
    answers: { 200: 'Associations' },
  },
  {
    route: `POST ${one}/resource_types`,
    tag,
    summary: 'Says that a namespace is meant for a type of resource.',
    body: jsonOf('Association'),
    answers: { 201: 'Association' },
  },
  {
    route: `DELETE ${one}/resource_types/{type}`,
    tag,
    summary: 'Says that it is not any more.',
    answers: { 204: null },
  },
];

const property = { path: 'properties', parameter: 'property', what: 'property' };
const object = { path: 'objects', parameter: 'object', what: 'object' };
const tagOf = { path: 'tags', parameter: 'tag', what: 'tag' };

/** What is done with metadata definitions. */
export const metadefOperations: readonly Operation[] = [
  ...namespaces,
  ...resourceTypes,
  ...definitionsOf({ ...property, component: 'Property', list: 'Properties' }),
  ...definitionsOf({ ...object, component: 'Object', list: 'Objects' }),
  ...definitionsOf({ ...tagOf, component: 'Tag', list: 'Tags' }),
  {
    route: `POST ${one}/properties`,
    tag,
    summary: 'Defines a property.',
    body: jsonOf('Property'),
    answers: { 201: 'Property' },
  },
  {
    route: `POST ${one}/objects`,
    tag,
    summary: 'Defines an object.',
    body: jsonOf('Object'),
    answers: { 201: 'Object' },
  },
  {
    route: `POST ${one}/tags`,
    tag,
    summary: 'Replaces all tags of a namespace.',
    headers: { 'x-openstack-append': 'True: adds to them.' },
    body: jsonOf('Tags'),
    answers: { 201: 'Tags' },
  },
  { route: `POST ${one}/tags/{tag}`, tag, summary: 'Defines a tag.', answers: { 201: 'Tag' } },
];
