/** A value that its option does not accept; the message says what it must be, and never repeats it. */
export class InvalidValue extends Error {
  override readonly name = 'InvalidValue';
}
