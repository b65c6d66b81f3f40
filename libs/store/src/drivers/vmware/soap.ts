import { parseXml, XmlElement } from '@rgrove/parse-xml';

/** A managed object of the server, such as `Datastore` `datastore-12`. */
export interface Reference {
  readonly type: string;
  readonly value: string;
}

/** What an element has in it: text, a reference, other elements in their order, or several elements of the same name. */
type SoapValue = string | boolean | Reference | Elements | readonly SoapValue[];

export interface Elements {
  readonly [name: string]: SoapValue;
}

/** A request of the vSphere Web Services API: `method` of the object `target`. */
export function soapRequest(method: string, target: Reference, parameters: Elements): string {
  const call = element(method, { _this: target, ...parameters }, ' xmlns="urn:vim25"');
  return (
    '<?xml version="1.0" encoding="UTF-8"?><Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/">' +
    `<Body>${call}</Body></Envelope>`
  );
}

function element(name: string, value: SoapValue, attributes = ''): string {
  if (Array.isArray(value)) return value.map((each: SoapValue) => element(name, each)).join('');
  if (isReference(value)) return `<${name} type="${escaped(value.type)}">${escaped(value.value)}</${name}>`;
  const inner =
    typeof value === 'object'
      ? Object.entries(value as Elements)
          .map(([each, part]) => element(each, part))
          .join('')
      : escaped(String(value));
  return `<${name}${attributes}>${inner}</${name}>`;
}

function isReference(value: SoapValue): value is Reference {
  return typeof value === 'object' && 'value' in value && 'type' in value && typeof value.value === 'string';
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

const escaped = (text: string): string => text.replace(/[&<>"]/g, (character) => entities[character]!);

/** An element of an answer; names are without their prefixes. */
export class Answered {
  readonly #element: XmlElement;

  constructor(element: XmlElement) {
    this.#element = element;
  }

  get name(): string {
    return withoutPrefix(this.#element.name);
  }

  get text(): string {
    return this.#element.text;
  }

  /** What it says of its type, in `type` of a reference or in `xsi:type`. */
  get type(): string {
    const { attributes } = this.#element;
    // Servers choose their prefix of the schema of instances themselves.
    const instance = Object.entries(attributes).find(([name]) => name.endsWith(':type'));
    return withoutPrefix(attributes['type'] ?? instance?.[1] ?? '');
  }

  get reference(): Reference {
    return { type: this.type, value: this.text };
  }

  /** All elements in it, or those of a name. */
  all(name?: string): Answered[] {
    return this.#element.children
      .filter((child) => child instanceof XmlElement)
      .map((child) => new Answered(child))
      .filter((child) => name === undefined || child.name === name);
  }

  /** The element at a path of names, if it is there. */
  at(...path: readonly string[]): Answered | undefined {
    return path.reduce<Answered | undefined>((found, name) => found?.all(name)[0], this);
  }
}

const withoutPrefix = (name: string): string => name.slice(name.indexOf(':') + 1);

/** What is in the body of an answer; throws for what is no SOAP, or not all of it. */
export function soapAnswer(text: string): Answered {
  const { root } = parseXml(text);
  const answer = root && new Answered(root).at('Body')?.all()[0];
  if (!answer) throw new Error('The answer is not one of SOAP.');
  return answer;
}
