import { CACHING, type Contract, IMAGES, MEMBERS, METADEFS, SCRUBBING, TASKS } from '@glance/domain';
import type { WaitingWork, Registry } from '@glance/registry';
import type { Broker } from '@glance/rpc';
import type { ImageCache, Stores } from '@glance/store';
import { asker } from '../asker.js';
import { seldom } from '../seldom.js';
import { type Source, source } from './source.js';

/** Milliseconds that a look at a store or a database holds, however many ask. */
const pace = 5_000;

/** All that registries answer. */
export const contracts: readonly Contract<unknown>[] = [IMAGES, MEMBERS, TASKS, SCRUBBING, CACHING, METADEFS];

/** How calls travel, and how far the registries are behind. */
export function brokerSources(broker: Broker): Source[] {
  return [
    source(
      {
        glance_rpc_calls_in_flight: { help: 'Calls of this process that wait for their answer.' },
        glance_rpc_calls_running: { help: 'Calls of others that this process is executing.' },
        glance_rpc_connections_total: { help: 'Connections that were made to the message broker.' },
        glance_rpc_calls_resent_total: { help: 'Calls that were sent again because the connection was lost.' },
        glance_rpc_late_replies_total: { help: 'Answers that came when nobody waited for them any more.' },
      },
      async () => {
        const { callsInFlight, callsRunning, connections, callsResent, lateReplies } = broker.status();
        return {
          glance_rpc_calls_in_flight: callsInFlight,
          glance_rpc_calls_running: callsRunning,
          glance_rpc_connections_total: connections,
          glance_rpc_calls_resent_total: callsResent,
          glance_rpc_late_replies_total: lateReplies,
        };
      },
    ),
    source(
      {
        glance_rpc_queue_messages: {
          help: 'Calls that no registry has taken yet. All processes see the same.',
          labels: ['rpc_service'],
        },
      },
      async () => ({
        glance_rpc_queue_messages: await Promise.all(
          contracts.map(async (contract) => [{ rpc_service: contract.name }, await broker.waiting(contract)] as const),
        ),
      }),
    ),
  ];
}

/** Whether each store can be used, and how much room it has. */
export function storeSource(stores: Stores): Source {
  const looks = stores.ids.map((id) => {
    const store = stores.get(id);
    let capacity: Awaited<ReturnType<typeof store.capacity>>;
    const look = seldom(pace, async () => {
      capacity = undefined;
      await store.check();
      capacity = await store.capacity();
    });
    const ask = asker(id, look);
    return async () => ({ labels: { store: id }, up: (await ask()) === undefined ? 1 : 0, capacity });
  });
  return source(
    {
      glance_store_up: { help: 'Whether a store can be used: 1 or 0.', labels: ['store'] },
      glance_store_capacity_bytes: {
        help: 'How much a store can hold, where that can be known: its file system, or the disks of its Ceph cluster.',
        labels: ['store'],
      },
      glance_store_available_bytes: { help: 'How much of that is left for new data.', labels: ['store'] },
    },
    async () => {
      const seen = await Promise.all(looks.map((look) => look()));
      const sized = seen.flatMap(({ labels, capacity }) => (capacity ? [{ labels, capacity }] : []));
      return {
        glance_store_up: seen.map(({ labels, up }) => [labels, up]),
        glance_store_capacity_bytes: sized.map(({ labels, capacity }) => [labels, capacity.total]),
        glance_store_available_bytes: sized.map(({ labels, capacity }) => [labels, capacity.available]),
      };
    },
  );
}

/** What is in the image cache of this host. */
export function cacheSource(cache: ImageCache): Source {
  let entries: Awaited<ReturnType<typeof cache.directory.entries>> = [];
  const look = seldom(pace, async () => void (entries = await cache.directory.entries()));
  return source(
    {
      glance_cache_images: { help: 'Images in the cache of this host. All its processes see the same.' },
      glance_cache_size_bytes: { help: 'Bytes that they take.' },
    },
    async () => {
      await look();
      return {
        glance_cache_images: entries.length,
        glance_cache_size_bytes: entries.reduce((sum, { size }) => sum + size, 0),
      };
    },
  );
}

/** What waits in the database, and the connections to it. */
export function registrySources(registry: Registry): Source[] {
  let work: WaitingWork;
  const look = seldom(pace, async () => void (work = await registry.waitingWork()));
  const waiting = source(
    {
      glance_outbox_messages: { help: 'Notifications that are not delivered yet.' },
      glance_outbox_oldest_age_seconds: { help: 'How long the oldest of them has waited.' },
      glance_import_queue_tasks: { help: 'Imports that nobody works on yet.' },
      glance_import_queue_oldest_age_seconds: { help: 'How long the oldest of them has waited.' },
      glance_import_tasks_running: { help: 'Imports that somebody works on.' },
      glance_scrub_backlog: {
        help: 'Images whose deletion is due, and work on bytes that dead processes have left.',
        labels: ['kind'],
      },
      glance_scrub_oldest_overdue_seconds: { help: 'How long the oldest of them has been due.', labels: ['kind'] },
      glance_scrub_failing: { help: 'How many of them have been tried, and failed.' },
      glance_quota_reserved_bytes: { help: 'Bytes of quotas that are kept for work under way.' },
      glance_staged_bytes: { help: 'Bytes that wait for their import.' },
    },
    async () => {
      await look();
      const { outbox, imports, deletions, abandoned, failing, reserved, staged } = work;
      return {
        glance_outbox_messages: outbox.waiting,
        glance_outbox_oldest_age_seconds: outbox.age,
        glance_import_queue_tasks: imports.waiting,
        glance_import_queue_oldest_age_seconds: imports.age,
        glance_import_tasks_running: imports.running,
        glance_scrub_backlog: [
          [{ kind: 'deletion' }, deletions.waiting],
          [{ kind: 'abandoned' }, abandoned.waiting],
        ],
        glance_scrub_oldest_overdue_seconds: [
          [{ kind: 'deletion' }, deletions.age],
          [{ kind: 'abandoned' }, abandoned.age],
        ],
        glance_scrub_failing: failing,
        glance_quota_reserved_bytes: reserved,
        glance_staged_bytes: staged,
      };
    },
  );
  return registry.pool() ? [waiting, poolSource(registry)] : [waiting];
}

function poolSource(registry: Registry): Source {
  return source(
    {
      db_client_connection_count: { help: 'Connections to the database.', labels: ['db_client_connection_state'] },
      db_client_connection_max: { help: 'How many connections to the database there may be.' },
      db_client_connection_pending_requests: { help: 'Statements that wait for a connection.' },
    },
    async () => {
      const { used, idle, max, pending } = registry.pool()!;
      return {
        db_client_connection_count: [
          [{ db_client_connection_state: 'used' }, used],
          [{ db_client_connection_state: 'idle' }, idle],
        ],
        db_client_connection_max: max,
        db_client_connection_pending_requests: pending,
      };
    },
  );
}

/** Whether what readiness depends on works. */
export function checkSource(askers: Readonly<Record<string, () => Promise<string | undefined>>>): Source {
  return source(
    { glance_check_up: { help: 'Whether what this process needs works: 1 or 0.', labels: ['check'] } },
    async () => ({
      glance_check_up: await Promise.all(
        Object.entries(askers).map(async ([check, ask]) => [{ check }, (await ask()) === undefined ? 1 : 0] as const),
      ),
    }),
  );
}
