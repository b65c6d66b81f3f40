import { existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { ConfigError } from './config-error.js';
import { camelCase, type Declaration, type ValuesOf } from './declaration.js';
import { keyOf, sameGroup, type Given } from './given.js';
import { InvalidValue } from './invalid-value.js';
import type { Option } from './option.js';
import type { Name, Sources } from './sources.js';

/** Where a declaration is read instead of its own group. */
export interface Place {
  /** The group whose values count: a store's id. */
  readonly group?: string;
  /** The group that is asked for what the first lacks: `backend_defaults`. */
  readonly fallback?: string;
}

/** A declaration and where it is read. */
export interface Placed extends Place {
  readonly declaration: Declaration;
}

interface Examined {
  readonly values: Readonly<Record<string, unknown>>;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** The names under which a value counts for an option, the present one first. */
export function namesOf(declaration: Declaration, name: string, group: string): Name[] {
  const aliases = declaration.options[name]?.settings.aliases ?? [];
  const former = aliases.map((alias): Name => {
    const dot = alias.lastIndexOf('.');
    const written = alias.slice(0, Math.max(dot, 0));
    return { group: dot < 0 || written === declaration.group ? group : written, name: alias.slice(dot + 1) };
  });
  return [{ group, name }, ...former];
}

/** Typed access to what files, environment and command line say. Made by `load`; never shows values by itself. */
export class Config {
  /** What will not stop the start but somebody should know, each once. */
  readonly warnings: readonly string[];
  readonly #sources: Sources;
  readonly #declared: ReadonlyMap<string, { readonly option: Option; readonly names: readonly Name[] }>;

  readonly #directories: readonly string[];

  constructor(
    sources: Sources,
    placed: readonly Placed[],
    warnings: readonly string[],
    directories: readonly string[] = [],
  ) {
    this.#sources = sources;
    this.#directories = directories;
    this.warnings = warnings;
    this.#declared = new Map(
      placed.flatMap(({ declaration, group = declaration.group }) =>
        Object.entries(declaration.options).map(([name, option]) => {
          const names = namesOf(declaration, name, group);
          return [keyOf({ group, name }), { option, names }] as const;
        }),
      ),
    );
  }

  /** The values of a declaration. Throws `ConfigError` for wrong ones in places that `load` was not told of. */
  read<D extends Declaration>(declaration: D, place: Place = {}): ValuesOf<D> {
    const { values, problems } = this.examine({ declaration, ...place });
    if (problems.length > 0) throw new ConfigError(problems);
    return values as ValuesOf<D>;
  }

  /**
   * Where the file or directory is that an option names: beside the configuration files, or in `/etc/glance`, if the
   * name is not absolute. One that is nowhere would be in the first of these places.
   */
  locate(name: string): string {
    if (isAbsolute(name)) return name;
    const places = this.#directories.map((directory) => join(directory, name));
    return places.find((place) => existsSync(place)) ?? places[0] ?? name;
  }

  /** What an option is worth, as it is written, and who says so; nothing of secrets. */
  origin({ declaration, group = declaration.group, fallback }: Placed, name: string): { text: string; where: string } {
    const option = declaration.options[name]!;
    const groups = fallback === undefined ? [group] : [group, fallback];
    const given = groups
      .map((asked) => this.#sources.find(namesOf(declaration, name, asked), option.shape === 'many'))
      .find((found) => found.length > 0);
    const texts = given?.map(({ text }) => text) ?? option.defaultTexts;
    const text = texts.length === 0 ? 'not set' : texts.join(', ') || 'empty';
    return {
      text: given && option.settings.secret ? 'a secret' : text,
      where: given ? `said by ${given.map((one) => one.where).join(', ')}` : 'the default',
    };
  }

  /** The values of all secret options that are set, for a log to leave out. */
  secrets(): string[] {
    return [...this.#declared.values()].flatMap(({ option, names }) => {
      if (!option.settings.secret) return [];
      return this.#sources.find(names, true).map(({ text }) => text);
    });
  }

  /** Like `read`, but with what is wrong or out of date. */
  examine({ declaration, group = declaration.group, fallback }: Placed): Examined {
    const values: Record<string, unknown> = {};
    const problems: string[] = [];
    const warnings: string[] = [];
    for (const [name, option] of Object.entries(declaration.options)) {
      const groups = fallback === undefined ? [group] : [group, fallback];
      const found = groups.map((asked) => {
        const names = namesOf(declaration, name, asked);
        return { current: names[0]!, given: this.#sources.find(names, option.shape === 'many') };
      });
      const { current, given } = found.find((one) => one.given.length > 0) ?? found[0]!;
      warnings.push(...given.flatMap((one) => outOfDate(one, current, option)));
      try {
        values[camelCase(name)] = this.#value(option, given, group);
      } catch (error) {
        if (!(error instanceof InvalidValue)) throw error;
        problems.push(complaint(given.at(-1) ?? { ...current, text: '', where: 'default' }, option, error.message));
      }
    }
    return { values, problems, warnings };
  }

  #value(option: Option, given: readonly Given[], group: string): unknown {
    const texts = given.map((one) => this.#expand(one.text, one.group, []));
    const empty = texts.length === 0 || (option.shape === 'number' && texts.at(-1)?.trim() === '');
    if (!empty) return option.parse(texts);
    if (typeof option.default === 'string') return this.#expand(option.default, group, []);
    if (!Array.isArray(option.default)) return option.default;
    return option.default.map((item) => this.#expand(String(item), group, []));
  }

  /** Replaces `$name`, `${name}`, `$group.name`; `$$` and `\$` stand for a dollar. `trail`: what is being replaced. */
  #expand(text: string, group: string, trail: readonly string[]): string {
    const reference = /\\\$|\$(?:\$|([_a-z][._a-z0-9]*)|\{([_a-z][._a-z0-9]*)\})/gi;
    return text.replace(reference, (_, bare?: string, braced?: string) => {
      const name = bare ?? braced;
      return name === undefined ? '$' : this.#referred(name, group, trail);
    });
  }

  #referred(reference: string, group: string, trail: readonly string[]): string {
    const dot = reference.indexOf('.');
    const nearest =
      dot < 0 ? { group, name: reference } : { group: reference.slice(0, dot), name: reference.slice(dot + 1) };
    for (const name of [nearest, { group: 'DEFAULT', name: reference }]) {
      const key = keyOf(name);
      const declared = this.#declared.get(key);
      const [given] = this.#sources.find(declared?.names ?? [name]);
      if (!given && !declared) continue;
      if (trail.includes(key)) throw new InvalidValue('must not refer to itself, not by way of others either');
      const text = given?.text ?? declared?.option.defaultTexts.at(-1) ?? '';
      return this.#expand(text, given?.group ?? name.group, [...trail, key]);
    }
    // The name is not repeated: it may be the second half of a password.
    throw new InvalidValue('refers by $ to an option that does not exist; write $$ for a dollar');
  }
}

function outOfDate(given: Given, current: Name, { settings }: Option): string[] {
  const written = `${given.where}: [${given.group}] ${given.name}`;
  const moved = keyOf(given) !== keyOf(current);
  const place = sameGroup(given.group) === sameGroup(current.group) ? '' : `[${current.group}] `;
  return [
    ...(moved ? [`${written} is now called ${place}${current.name}`] : []),
    ...(settings.deprecated === undefined ? [] : [`${written} is deprecated ${settings.deprecated}`]),
  ];
}

function complaint(given: Given, { settings }: Option, clause: string): string {
  const value = settings.secret ? ' (a secret)' : ` = ${JSON.stringify(given.text)}`;
  return `${given.where}: [${given.group}] ${given.name}${value}: ${clause}`;
}
