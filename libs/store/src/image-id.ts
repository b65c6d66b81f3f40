const uuid = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';

/** A pattern for names that consist of the id of an image, which is captured, and what stands around it. */
export function namePattern(before: string, after: string): RegExp {
  return new RegExp(`^${before}(${uuid})${after.replaceAll('UUID', uuid)}$`, 'i');
}

/** The name of an image's own object. */
export const imageName = namePattern('', '');
