import { type ClaimedTask, importMethods, type TaskMethod } from '@glance/domain';
import { inOwnTrace } from '@glance/tracing';
import { Gauge, Histogram } from 'prom-client';

/** `left`: somebody else has it now, or will claim it. */
export type ImportOutcome = 'success' | 'failure' | 'left';

const durations = new Histogram({
  name: 'glance_import_duration_seconds',
  help: 'How long this process was at an import, and what came of it; `left` is to others.',
  labelNames: ['method', 'outcome'],
  buckets: [0.5, 1, 5, 15, 60, 300, 1800, 7200],
});

// Present before the first: a counter that begins with a failure does not look as if it had grown.
for (const method of [...importMethods, 'add-location'] satisfies TaskMethod[]) {
  for (const outcome of ['success', 'failure', 'left'] satisfies ImportOutcome[]) durations.zero({ method, outcome });
}

const active = new Gauge({ name: 'glance_imports_active', help: 'Imports that this process is at.' });

/** How many imports a process takes on at once. */
export const importSlots = new Gauge({
  name: 'glance_import_slots',
  help: 'Imports that this process takes on at the same time at most.',
});

/** Times an import, which is a trace of its own, and counts it while it is under way. */
export async function timedImport(
  { id, method, imageId, requestId }: ClaimedTask,
  work: () => Promise<ImportOutcome>,
): Promise<void> {
  const end = durations.startTimer({ method });
  const attributes = {
    'glance.task.id': id,
    'glance.image.id': imageId,
    ...(requestId !== undefined && { 'glance.request_id': requestId }),
  };
  active.inc();
  try {
    end({ outcome: await inOwnTrace({ name: `import ${method}`, kind: 'internal', attributes }, work) });
  } finally {
    active.dec();
  }
}
