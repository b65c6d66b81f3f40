import type { NamespaceContents } from '@glance/domain';

/** The namespace as it reads on resources of a type: the names of properties begin with that type's prefix. */
export function prefixed(namespace: NamespaceContents, resourceType: string): NamespaceContents {
  const prefix = namespace.associations.find(({ name }) => name === resourceType)?.prefix;
  if (!prefix) return namespace;
  return {
    ...namespace,
    properties: namespace.properties.map((property) => ({ ...property, name: prefix + property.name })),
    objects: namespace.objects.map((object) => ({
      ...object,
      required: object.required.map((name) => prefix + name),
      properties: Object.fromEntries(
        Object.entries(object.properties).map(([name, schema]) => [prefix + name, schema]),
      ),
    })),
  };
}
