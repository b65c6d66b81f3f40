import { keyOf, type Given } from './given.js';

/** An option's name, or one of its former ones. */
export type Name = Pick<Given, 'group' | 'name'>;

type Layer = ReadonlyMap<string, readonly Given[]>;

/** All that was given: files, environment, command line. Knows who wins, not what values mean. */
export class Sources {
  readonly #files: readonly Layer[];
  readonly #environment: NodeJS.ProcessEnv;
  readonly #commandLine: Layer;

  constructor(files: readonly (readonly Given[])[], environment: NodeJS.ProcessEnv, commandLine: readonly Given[]) {
    this.#files = files.map((given) => Map.groupBy(given, keyOf));
    this.#environment = environment;
    this.#commandLine = Map.groupBy(commandLine, keyOf);
  }

  /** The one value that wins, or with `many` all values of the source that wins (files count as one). */
  find(names: readonly Name[], many = false): readonly Given[] {
    const keys = names.map(keyOf);
    const inLayer = (layer: Layer): readonly Given[] =>
      keys.map((key) => layer.get(key)).find((given) => given !== undefined) ?? [];

    const inFiles = this.#files.map(inLayer);
    const bySource = [
      inLayer(this.#commandLine),
      this.#inEnvironment(names),
      ...(many ? [inFiles.flat()] : inFiles.reverse()),
    ];
    const winner = bySource.find((given) => given.length > 0) ?? [];
    return many ? winner : winner.slice(-1);
  }

  #inEnvironment(names: readonly Name[]): readonly Given[] {
    for (const { group, name } of names) {
      const variable = `OS_${group}__${name}`.toUpperCase();
      const text = this.#environment[variable];
      if (text !== undefined) return [{ group, name, text, where: variable }];
    }
    return [];
  }

  /** Everything that was given, whether or not an option of that name exists. */
  all(): readonly Given[] {
    const fromEnvironment = Object.entries(this.#environment).flatMap(([variable, text = '']) => {
      const [, group, name] = /^OS_(.+?)__(.+)$/.exec(variable)?.map((part) => part.toLowerCase()) ?? [];
      if (group === undefined || name === undefined) return [];
      return [{ group: group === 'default' ? 'DEFAULT' : group, name, text, where: variable }];
    });
    const layers = [...this.#files, this.#commandLine].flatMap((layer) => [...layer.values()].flat());
    return [...layers, ...fromEnvironment];
  }
}
