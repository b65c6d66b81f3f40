import type { JsonSchema } from '../discovery/schemas/json-schema.js';
import type { Formats } from '../images/attributes.js';
import { components } from './components.js';
import type { Operation } from './operation.js';
import { operations } from './operations.js';

/** The API in OpenAPI 3.1. */
export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: JsonSchema;
  readonly paths: Readonly<Record<string, Readonly<Record<string, JsonSchema>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> } & JsonSchema;
  readonly security: readonly JsonSchema[];
}

/** Describes all that the API does, for images of these formats. */
export function openApiDocument(formats: Formats): OpenApiDocument {
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const operation of operations) {
    const [method = '', path = ''] = operation.route.split(' ');
    (paths[path] ??= {})[method.toLowerCase()] = described(operation, path);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Images API',
      version: '2.17',
      description: 'The Images API v2 of OpenStack. Any other version of the API leads to the same.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: {
      schemas: components(formats),
      securitySchemes: { token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' } },
    },
    security: [{ token: [] }],
  };
}

const string: JsonSchema = { type: 'string' };

function described({ route, tag, summary, query, headers, body, answers }: Operation, path: string): JsonSchema {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: string,
  }));
  const optional = (where: string, names: Readonly<Record<string, string>> = {}): JsonSchema[] =>
    Object.entries(names).map(([name, description]) => ({ name, in: where, description, schema: string }));
  return {
    operationId: operationId(route),
    tags: [tag],
    summary,
    parameters: [...inPath, ...optional('query', query), ...optional('header', headers)],
    ...(body && { requestBody: { required: true, content: contents(body) } }),
    responses: { ...responses(answers), default: refusal },
    // Versions and health are open.
    ...(!path.startsWith('/v2/') && { security: [] }),
  };
}

/** `GET /v2/images/{id}/file` becomes `get_images_id_file`. */
function operationId(route: string): string {
  return route
    .toLowerCase()
    .replace('/v2', '')
    .split(/\W+/)
    .filter((word) => word !== '')
    .join('_');
}

const reference = (name: string): JsonSchema => ({ schema: { $ref: `#/components/schemas/${name}` } });

function contents(body: NonNullable<Operation['body']>): JsonSchema {
  return Object.fromEntries(Object.entries(body).map(([type, name]) => [type, name === null ? {} : reference(name)]));
}

function responses(answers: Operation['answers']): JsonSchema {
  const one = (answer: string | null): JsonSchema => {
    if (answer === null) return { description: 'Done.' };
    if (answer === 'bytes') return { description: 'The data.', content: { 'application/octet-stream': {} } };
    if (answer === 'text') return { description: 'A word.', content: { 'text/plain': { schema: string } } };
    return { description: `${answer}.`, content: { 'application/json': reference(answer) } };
  };
  return Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, one(answer)]));
}

const refusal: JsonSchema = {
  description: 'A refusal that says why, in the form that the client accepts.',
  content: {
    'application/json': reference('Error'),
    'text/plain': { schema: string },
    'text/html': { schema: string },
  },
};
