/** What one check of what the service needs has shown. */
export interface Finding {
  /** What is so if there is no problem, as a sentence without its full stop. */
  readonly fact: string;
  /** What is wrong instead. */
  readonly problem?: string;
  /** The commands that mend it, one a line. */
  readonly remedy?: string;
}
