/** A value as a source gave it. */
export interface Given {
  /** As written. */
  readonly group: string;
  readonly name: string;
  readonly text: string;
  /** `file:line`, or what stands for it: the environment variable, the command-line flag. */
  readonly where: string;
}

/** Group names are compared without regard to case, `DEFAULT` excepted. */
export function sameGroup(group: string): string {
  return group === 'DEFAULT' ? group : group.toLowerCase();
}

/** Equal for what names the same option. */
export function keyOf({ group, name }: Pick<Given, 'group' | 'name'>): string {
  return `${sameGroup(group)}\n${name}`;
}
