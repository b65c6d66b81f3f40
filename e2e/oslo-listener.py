"""Prints every notification that oslo.messaging receives as a line of JSON, until its standard input ends.

Arguments: transport URL, exchange, whether queues are durable (true or false), topics.
"""

import json
import sys

from oslo_config import cfg
import oslo_messaging

url, exchange, durable, *topics = sys.argv[1:]


def receiver(priority):
    def receive(self, ctxt, publisher_id, event_type, payload, metadata):
        print(json.dumps({
            'priority': priority,
            'context': ctxt,
            'publisher_id': publisher_id,
            'event_type': event_type,
            'payload': payload,
            'metadata': metadata,
        }), flush=True)
    return receive


priorities = ('audit', 'debug', 'info', 'warn', 'error', 'critical', 'sample')
endpoint = type('Endpoint', (), {name: receiver(name) for name in priorities})()

conf = cfg.ConfigOpts()
conf([])
transport = oslo_messaging.get_notification_transport(conf, url=url)
conf.set_override('amqp_durable_queues', durable == 'true', 'oslo_messaging_rabbit')
targets = [oslo_messaging.Target(topic=topic, exchange=exchange) for topic in topics]
listener = oslo_messaging.get_notification_listener(transport, targets, [endpoint], executor='threading')
# With more threads it would hand out messages in any order.
conf.set_override('executor_thread_pool_size', 1)
listener.start()
print('listening', flush=True)
sys.stdin.read()
listener.stop()
listener.wait()
