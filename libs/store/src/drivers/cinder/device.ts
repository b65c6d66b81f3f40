import type { Bytes } from '../../bytes.js';

/** What Cinder says of how an attached volume is reached: `driver_volume_type`, and what that kind needs, beside it. */
export type ConnectionInfo = Readonly<Record<string, unknown>>;

/** The data of an attached volume. Its size stays what it is. */
export interface Device {
  /** Writes `data` from the byte `start` on; returns once it is durable. */
  write(data: Bytes, start: number, signal: AbortSignal): Promise<void>;
  /** The bytes from `start` to before `end`. Holds nothing until it is pulled. */
  read(start: number, end: number, signal: AbortSignal): Bytes;
  /** Lets go of it. */
  close(): Promise<void>;
}

/** A text in a connection's facts; undefined if it is none. */
export function textIn(info: ConnectionInfo, name: string): string | undefined {
  const value = info[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
