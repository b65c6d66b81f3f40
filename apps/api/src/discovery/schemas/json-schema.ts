/** A JSON-schema document, or a part of one, in the flavour that clients of the image service read (draft 4). */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** A text that only the server writes. */
export function readOnlyText(description: string): JsonSchema {
  return { type: 'string', readOnly: true, description };
}

export const uuidPattern = '^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$';

/** The schema of a page of things: `key` holds the things, each as `item` says. */
export function collection(name: string, key: string, item: JsonSchema, paged = true): JsonSchema {
  const paging = paged ? { first: { type: 'string' }, next: { type: 'string' } } : {};
  const links = paged
    ? [
        { rel: 'first', href: '{first}' },
        { rel: 'next', href: '{next}' },
      ]
    : [];
  return {
    name,
    properties: { [key]: { type: 'array', items: item }, ...paging, schema: { type: 'string' } },
    links: [...links, { rel: 'describedby', href: '{schema}' }],
  };
}
