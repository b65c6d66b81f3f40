import type { Declaration } from './declaration.js';

/** A sub-command; `db sync` may also be written `db_sync`. */
export interface Command {
  readonly summary: string;
  /** As in a usage line, optional ones in brackets: `PATH [PREFIX]`. */
  readonly arguments?: string;
  /** Flags of this command only, in group `DEFAULT` with `cli`; read them like any declaration. */
  readonly options?: Declaration;
}

/** What a program takes from its command line and its configuration files. */
export interface Program {
  readonly name: string;
  readonly version: string;
  readonly summary: string;
  /** Without `.conf`: the files that are looked for when no `--config-file` is given; later ones win. */
  readonly configFiles: readonly string[];
  readonly declarations: readonly Declaration[];
  /** As in `Command`, for a program without commands. */
  readonly arguments?: string;
  /** By their words, `''` for none; none may begin with all the words of another. */
  readonly commands?: Readonly<Record<string, Command>>;
}
