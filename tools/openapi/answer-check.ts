import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

/** As much of an OpenAPI document as a check of answers needs. */
interface Description {
  readonly paths: object;
  readonly components: object;
}

export interface CheckedAnswer {
  readonly method: string;
  /** Path and query, as they were asked for. */
  readonly path: string;
  readonly status: number;
  readonly contentType: string | undefined;
  readonly body: Uint8Array;
}

interface DescribedOperation {
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, object>> }>>;
}

/**
 * A check of answers of the API (everything under `/v2/`) against its description: says what is wrong with one, or
 * nothing. Something done by a route that is not described is wrong, too.
 */
export function answerCheck(document: Description): (answer: CheckedAnswer) => string | undefined {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema({ $id: 'openapi', ...document });
  const compiled = new Map<string, ValidateFunction>();
  const validator = (pointer: string): ValidateFunction => {
    const known = compiled.get(pointer) ?? ajv.compile({ $ref: `openapi#${pointer}` });
    compiled.set(pointer, known);
    return known;
  };
  const routes = Object.keys(document.paths).map((path) => ({ path, pattern: patternOf(path) }));
  // Words before parameters: /v2/schemas/image before /v2/schemas/{name}.
  routes.sort((a, b) => a.path.split('{').length - b.path.split('{').length);

  return ({ method, path, status, contentType, body }) => {
    const plain = path.split('?', 1)[0]!.replace(/\/{2,}/g, '/');
    const asked = plain.replace(/^\/v2\.\d+\//, '/v2/');
    // A version that is not there is answered with those that are.
    const otherVersion = status === 300 && asked !== plain;
    if (!asked.startsWith('/v2/') || method === 'OPTIONS' || otherVersion) return undefined;
    const route = routes.find(({ pattern }) => pattern.test(asked))?.path;
    const verb = method.toLowerCase();
    const item = (route === undefined ? {} : Reflect.get(document.paths, route)) as Record<string, DescribedOperation>;
    const operation = item[verb];
    if (!operation) return status < 400 ? `${method} ${asked} is not described.` : undefined;
    const key = status < 400 ? String(status) : 'default';
    const response = operation.responses[key];
    if (!response) return `${method} ${route} is not described to answer ${status}.`;
    const type = contentType?.split(';', 1)[0];
    if (status < 400 && !response.content) {
      return body.length > 0 ? `${method} ${route} is described to answer ${status} without a body.` : undefined;
    }
    if (type === undefined || !response.content?.[type]) {
      return method === 'HEAD' ? undefined : `${method} ${route} is not described to answer ${status} in ${type}.`;
    }
    if (type !== 'application/json') return undefined;
    const pointer = ['paths', route!, verb, 'responses', key, 'content', type, 'schema'].map(escaped).join('/');
    const validate = validator(`/${pointer}`);
    if (validate(JSON.parse(Buffer.from(body).toString()))) return undefined;
    return `${method} ${route} ${status}: ${ajv.errorsText(validate.errors)}`;
  };
}

const escaped = (part: string): string => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));

function patternOf(path: string): RegExp {
  const segments = path.split('/').map((part) => (part.startsWith('{') ? '[^/]+' : RegExp.escape(part)));
  return new RegExp(`^${segments.join('/')}$`);
}
