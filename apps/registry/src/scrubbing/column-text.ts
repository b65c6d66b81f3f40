const longest = 500;

/** A sentence as a column takes it. Glance's tables, and ours like them, have no room for characters of four bytes. */
export function columnText(text: string): string {
  return text.replace(/[\u{10000}-\u{10FFFF}]/gu, '?').slice(0, longest);
}
