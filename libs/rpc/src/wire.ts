import { errorCodes, ServiceError, type Contract, type ErrorCode, type ErrorDetails } from '@glance/domain';

// What travels: a call is `{"args": […]}` with the method's name in the message's `type`; a reply is `{"result": …}` or
// `{"error": {"code", "message", "details"}}`. All of it is JSON in UTF-8.

export function queueOf(
  { controlExchange }: { readonly controlExchange: string },
  contract: Contract<unknown>,
): string {
  return `${controlExchange}.${contract.name}`;
}

/** Whether a call that failed may have been executed all the same. */
export type Outcome = 'unknown' | 'not executed';

/** Why a call has no answer, in words for people; for programs `details` has a reason and the outcome. */
export function unavailable(
  { queue, method }: { readonly queue: string; readonly method: string },
  reason: string,
  outcome: Outcome,
  why: string,
): ServiceError {
  return new ServiceError('Unavailable', `The call ${queue}.${method} failed: ${why}.`, { reason, outcome });
}

/** Arguments that are left out at the end stay so: in JSON, `undefined` would become null, which has no default. */
export function encodeCall(args: readonly unknown[]): Buffer {
  const given = args.slice(0, args.findLastIndex((argument) => argument !== undefined) + 1);
  return Buffer.from(JSON.stringify({ args: given }));
}

/** Throws when `content` is no call. */
export function decodeCall(content: Buffer): readonly unknown[] {
  const { args } = JSON.parse(content.toString()) as { args?: unknown };
  if (!Array.isArray(args)) throw new TypeError('The message has no list of arguments.');
  return args;
}

export function encodeResult(result: unknown): Buffer {
  return Buffer.from(JSON.stringify({ result }));
}

export function encodeError({ code, message, details }: ServiceError): Buffer {
  return Buffer.from(JSON.stringify({ error: { code, message, details } }));
}

interface Reply {
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string; readonly details: ErrorDetails };
}

/** The result in a reply, or throws the `ServiceError` in it. A code that this version does not know becomes `Internal`. */
export function decodeReply(content: Buffer): unknown {
  const { error, result } = readReply(content);
  if (!error) return result;
  const known = (errorCodes as readonly string[]).includes(error.code);
  throw new ServiceError(known ? (error.code as ErrorCode) : 'Internal', error.message, error.details);
}

function readReply(content: Buffer): Reply {
  try {
    return JSON.parse(content.toString()) as Reply;
  } catch (cause) {
    throw new ServiceError('Internal', 'The answer to a call is no JSON.', {}, { cause });
  }
}
