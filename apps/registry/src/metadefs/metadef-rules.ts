import {
  type DefinitionKind,
  type NamespaceAttributes,
  type NewNamespace,
  type PropertySchema,
  ServiceError,
  type WrittenAssociation,
  type WrittenDefinitions,
} from '@glance/domain';
import { checkText } from '../images/image-rules.js';

/** Bytes of MySQL's TEXT. */
const longestText = 65_535;

const invalid = (message: string): ServiceError => new ServiceError('Invalid', message);

function checkName(what: string, name: string): void {
  if (name === '') throw invalid(`${what} must not be empty.`);
  checkText(what, name, 80);
}

/** Refuses attributes that are too long or could not be stored. */
export function checkNamespace(namespace: NamespaceAttributes): void {
  const { name, displayName = '', description = '', owner = '' } = namespace;
  checkName('The name of a namespace', name);
  checkText('display_name', displayName, 80);
  checkText('The description of a namespace', description, 500);
  checkText('owner', owner, 255);
}

export function checkAssociation({ name, prefix, propertiesTarget }: WrittenAssociation): void {
  checkName('The name of a resource type', name);
  checkText('prefix', prefix ?? '', 80);
  checkText('properties_target', propertiesTarget ?? '', 80);
}

const checks: { readonly [K in DefinitionKind]: (definition: WrittenDefinitions[K]) => void } = {
  property: ({ schema }) => checkJson(schema),
  object({ description, required, properties }) {
    if (description !== null) {
      checkText('The description of an object', description, longestText);
      checkBytes('The description of an object', description);
    }
    // Glance: they are kept in one column, separated by commas.
    for (const name of required) {
      checkText('The name of a required property', name, 80);
      if (name.includes(',')) throw invalid('The name of a required property must not have a comma.');
    }
    checkBytes('The list of required properties', required.join(','));
    checkJson(properties);
  },
  tag: () => undefined,
};

export function checkDefinition<K extends DefinitionKind>(kind: K, definition: WrittenDefinitions[K]): void {
  checkName(`The name of ${kind === 'object' ? 'an' : 'a'} ${kind}`, definition.name);
  checks[kind](definition);
}

/** All of a namespace; a name twice in it is a `Conflict`. */
export function checkContents({ associations, properties, objects, tags }: NewNamespace): void {
  associations.forEach(checkAssociation);
  properties.forEach((property) => checkDefinition('property', property));
  objects.forEach((object) => checkDefinition('object', object));
  tags.forEach((tag) => checkDefinition('tag', tag));
}

/** JSON as it is stored. Glance's tables have no room for characters of four bytes; JSON can say them otherwise. */
export function storedJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(/[\ud800-\udfff]/g, (half) => `\\u${half.charCodeAt(0).toString(16)}`);
}

function checkJson(value: PropertySchema): void {
  checkBytes('A definition', storedJson(value));
}

function checkBytes(what: string, text: string): void {
  if (Buffer.byteLength(text) > longestText) throw invalid(`${what} must have at most ${longestText} bytes.`);
}
