import type { Logger } from '@glance/domain';
import type { Broker } from './broker.js';
import type { RabbitSettings } from './config.js';
import { Connection } from './connection.js';
import { RabbitCaller } from './rabbit-caller.js';
import { RabbitServer } from './rabbit-server.js';
import { Service } from './service.js';

/**
 * A broker that carries calls over RabbitMQ. It connects in the background, so it can be used at once, and comes back by
 * itself whenever the connection is lost. `serve` waits a few seconds for the connection and goes on without.
 */
export function rabbitBroker(settings: RabbitSettings, logger: Logger): Broker {
  const connection = new Connection(settings, logger);
  const caller = new RabbitCaller(settings, connection);
  const server = new RabbitServer(settings, connection, logger);
  void connection.use(server);
  void connection.use(caller);
  return {
    call: (contract, method, args) => caller.call(contract, method, args),
    async serve(contract, implementation) {
      await server.serve(new Service(contract, implementation, logger));
      await connection.settled(settings.rpcOutageGrace * 1_000);
    },
    reaches: (contract) => caller.reaches(contract),
    waiting: (contract) => caller.waiting(contract),
    status: () => ({
      ready: connection.state === 'connected' && server.ready,
      connection: connection.state,
      callsInFlight: caller.inFlight,
      callsRunning: server.running,
      connections: connection.sessions,
      callsResent: caller.resent,
      lateReplies: caller.late,
    }),
    drain: () => server.drain(),
    async close() {
      await server.drain();
      caller.close();
      await connection.close();
    },
  };
}
