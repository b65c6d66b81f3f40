/** A section of the file, as written. */
export interface ProtectionSection {
  readonly name: string;
  readonly line: number;
  readonly values: ReadonlyMap<string, string>;
}

/**
 * The sections of a property protection file, in their order. An ini file as Python's RawConfigParser reads it: no
 * references, `=` or `:`, comments by `#` or `;`, indented lines go on. Fails with a message that says where it is wrong.
 */
export function readProtectionSections(text: string): ProtectionSection[] {
  const sections: { name: string; line: number; values: Map<string, string> }[] = [];
  let key: string | undefined;
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const here = `line ${index + 1}`;
    if (line.trim() === '' || /^\s*[#;]/.test(line)) continue;
    const section = sections.at(-1);
    if (/^\s/.test(line) && section && key !== undefined) {
      section.values.set(key, `${section.values.get(key)} ${line.trim()}`.trim());
      continue;
    }
    const [, name] = /^\[(.+)\]/.exec(line) ?? [];
    if (name !== undefined) {
      if (sections.some((other) => other.name === name))
        throw new Error(`${here}: there is a section [${name}] already.`);
      sections.push({ name, line: index + 1, values: new Map() });
      key = undefined;
      continue;
    }
    const [, written, value] = /^([^=:]+?)\s*[=:]\s*(.*)$/.exec(line) ?? [];
    if (written === undefined || !section)
      throw new Error(`${here} must be "[expression]" or, below one, "operation = roles".`);
    key = written.trim().toLowerCase();
    if (section.values.has(key)) throw new Error(`${here}: "${key}" is there twice.`);
    section.values.set(key, value!.trim());
  }
  return sections;
}
