import type { Target } from './check.js';

/** A match with `%(name)s` in it: literal texts, and between each two of them the name of an attribute. */
export interface Template {
  readonly texts: readonly string[];
  readonly names: readonly string[];
}

const templates = new Map<string, Template>();

/** The parts of a match. Remembered: policies have few, and ask for them at every request. */
export function templateOf(match: string): Template {
  const known = templates.get(match);
  if (known) return known;
  const texts: string[] = [];
  const names: string[] = [];
  let text = '';
  let from = 0;
  for (const found of match.matchAll(/%\(([^)]*)\)s|%%/g)) {
    text += match.slice(from, found.index);
    from = found.index + found[0].length;
    if (found[1] === undefined) text += '%';
    else {
      texts.push(text);
      names.push(found[1]);
      text = '';
    }
  }
  const template = { texts: [...texts, text + match.slice(from)], names };
  templates.set(match, template);
  return template;
}

/** The text with the target's attributes in it; undefined when the target has none of a name. */
export function filled({ texts, names }: Template, target: Target): string | undefined {
  let result = texts[0]!;
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!;
    if (!Object.hasOwn(target, name)) return undefined;
    result += pythonText(target[name]) + texts[i + 1]!;
  }
  return result;
}

/** As Python prints it: policies compare texts, and `True` and `None` stand in files. */
export function pythonText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return typeof value === 'number' ? String(value) : JSON.stringify(value);
}
