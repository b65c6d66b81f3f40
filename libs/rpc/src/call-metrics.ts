import { isServiceError } from '@glance/domain';
import { beginSpan } from '@glance/tracing';
import { Histogram } from 'prom-client';

const labelNames = ['rpc_service', 'rpc_method', 'error_type'] as const;
const buckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

const made = new Histogram({
  name: 'rpc_client_call_duration_seconds',
  help: 'How long the answers to calls of a contract took, from where they were made.',
  labelNames,
  buckets,
});

const served = new Histogram({
  name: 'rpc_server_call_duration_seconds',
  help: 'How long calls of a contract took where they were executed.',
  labelNames,
  buckets,
});

export interface CallName {
  readonly contract: string;
  readonly method: string;
}

const ends = { client: made, server: served } as const;

/** Times a call where it is made, which is a step of the current trace. */
export const timedCall = <T>(call: CallName, work: () => Promise<T>): Promise<T> => timed('client', call, work);

/** The same where it is executed. */
export const timedExecution = <T>(call: CallName, work: () => Promise<T>): Promise<T> => timed('server', call, work);

async function timed<T>(kind: keyof typeof ends, { contract, method }: CallName, work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  const attributes = { 'rpc.service': contract, 'rpc.method': method };
  const span = beginSpan({ name: `${contract}/${method}`, kind, attributes });
  let error_type = '';
  try {
    return await span.within(work);
  } catch (error) {
    error_type = isServiceError(error) ? error.code : 'Internal';
    throw error;
  } finally {
    const labels = { rpc_service: contract, rpc_method: method, error_type };
    ends[kind].observe(labels, (performance.now() - began) / 1000);
    span.end({ error: error_type });
  }
}
