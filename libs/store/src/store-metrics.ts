import { isServiceError } from '@glance/domain';
import { beginSpan, type Span } from '@glance/tracing';
import { Counter, Gauge, Histogram } from 'prom-client';
import type { Bytes } from './bytes.js';

export type Operation = 'open' | 'read' | 'size' | 'share' | 'delete' | 'discard';
export type Direction = 'read' | 'write';

const operations = new Histogram({
  name: 'glance_store_operation_duration_seconds',
  help: 'How long a store took for what moves no data; `read` is until the first byte can be pulled.',
  labelNames: ['store', 'operation', 'error_type'],
  buckets: [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60],
});

const transfers = new Histogram({
  name: 'glance_store_transfer_duration_seconds',
  help: 'How long data was on its way into a store or out of it.',
  labelNames: ['store', 'direction', 'error_type'],
  buckets: [0.1, 0.5, 1, 5, 10, 60, 300, 1800, 7200],
});

const active = new Gauge({
  name: 'glance_store_active_transfers',
  help: 'Transfers into a store or out of it that are under way.',
  labelNames: ['store', 'direction'],
});

const bytes = new Counter({
  name: 'glance_store_transfer_bytes_total',
  help: 'Bytes that went into a store or came out of it, those of failed transfers too.',
  labelNames: ['store', 'direction'],
});

/** What Prometheus is told of one store, by its name, and what traces have of it. */
export class StoreMetrics {
  constructor(private readonly store: string) {}

  /** Times what moves no data. */
  async operation<T>(operation: Operation, work: Promise<T>): Promise<T> {
    const began = performance.now();
    const span = this.#span(operation);
    let error_type = '';
    try {
      return await work;
    } catch (error) {
      error_type = errorType(error);
      throw error;
    } finally {
      operations.observe({ store: this.store, operation, error_type }, seconds(began));
      span.end({ error: error_type });
    }
  }

  /** Times a transfer, and counts it while it is under way. */
  async transfer<T>(direction: Direction, work: () => Promise<T>): Promise<T> {
    const end = this.#begin(direction);
    try {
      const result = await work();
      end('');
      return result;
    } catch (error) {
      end(errorType(error));
      throw error;
    }
  }

  /** The same for bytes that somebody pulls; whoever has enough of them has not failed. */
  async *reading(data: Bytes): Bytes {
    const end = this.#begin('read');
    let error_type = '';
    try {
      yield* this.counted('read', data);
    } catch (error) {
      error_type = errorType(error);
      throw error;
    } finally {
      end(error_type);
    }
  }

  /** Counts the bytes of a transfer. */
  async *counted(direction: Direction, data: Bytes): Bytes {
    const labels = { store: this.store, direction };
    for await (const chunk of data) {
      bytes.inc(labels, chunk.length);
      yield chunk;
    }
  }

  #begin(direction: Direction): (error_type: string) => void {
    const labels = { store: this.store, direction };
    const began = performance.now();
    const span = this.#span(`transfer.${direction}`);
    active.inc(labels);
    return (error_type) => {
      active.dec(labels);
      transfers.observe({ ...labels, error_type }, seconds(began));
      span.end({ error: error_type });
    };
  }

  #span(step: string): Span {
    return beginSpan({ name: `store ${step}`, kind: 'client', attributes: { 'glance.store': this.store } });
  }
}

const seconds = (began: number): number => (performance.now() - began) / 1000;

const errorType = (error: unknown): string => (isServiceError(error) ? error.code : 'Internal');
