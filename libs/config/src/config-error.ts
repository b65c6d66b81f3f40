/** A configuration that cannot be used; one line for everything that is wrong with it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    const unique = [...new Set(problems)];
    const places = unique.length === 1 ? 'one place' : `${unique.length} places`;
    super(`The configuration is wrong in ${places}:\n${unique.map((problem) => `  ${problem}`).join('\n')}`);
    this.problems = unique;
  }
}
