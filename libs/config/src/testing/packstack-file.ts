/** The keys and groups, empty ones too, that packstack writes for CentOS 7; addresses and passwords are invented. */
export const packstackFile = `[DEFAULT]
bind_host=0.0.0.0
bind_port=9292
workers=4
image_cache_dir=/var/lib/glance/image-cache
registry_host=0.0.0.0
debug=False
log_file=/var/log/glance/api.log
log_dir=/var/log/glance
transport_url=rabbit://someone:something@198.51.100.7:5672/
enable_v1_api=False
[cinder]
[cors]
[database]
connection=mysql+pymysql://glance:not-a-password@198.51.100.7/glance
[file]
[glance.store.http.store]
[glance.store.rbd.store]
[glance.store.sheepdog.store]
[glance.store.swift.store]
[glance.store.vmware_datastore.store]
[glance_store]
stores=rbd
default_store=rbd
rbd_store_pool = images
rbd_store_user = glance
rbd_store_ceph_conf = /etc/ceph/ceph.conf
rbd_store_chunk_size = 8
os_region_name=RegionOne
[image_format]
[keystone_authtoken]
www_authenticate_uri=http://198.51.100.7:5000/v3
auth_type=password
auth_url=http://198.51.100.7:5000
username=glance
password=not-a-password-either
user_domain_name=Default
project_name=services
project_domain_name=Default
[oslo_concurrency]
[oslo_messaging_amqp]
[oslo_messaging_kafka]
[oslo_messaging_notifications]
driver=messagingv2
topics=notifications
[oslo_messaging_rabbit]
ssl=False
default_notification_exchange=glance
[oslo_middleware]
[oslo_policy]
policy_file=/etc/glance/policy.json
[paste_deploy]
flavor=keystone
[profiler]
[store_type_location_strategy]
[task]
[taskflow_executor]
`;
