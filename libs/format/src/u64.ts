/** Reads 8 bytes as a number; null when it is too large to be exact, and so for any disk that exists. */
export function u64(bytes: Buffer, offset: number, order: 'LE' | 'BE'): number | null {
  const value = order === 'LE' ? bytes.readBigUInt64LE(offset) : bytes.readBigUInt64BE(offset);
  return value <= Number.MAX_SAFE_INTEGER ? Number(value) : null;
}
