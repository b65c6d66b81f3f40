/** The ceph.conf of a cluster in `directory` with one monitor, one OSD and one copy of everything. */
export function cephConfiguration(directory: string, fsid: string, mon: { v2: number; v1: number }): string {
  const daemon = `log file = ${directory}/log/$name.log
admin socket = ${directory}/run/$name.asok`;
  return `[global]
fsid = ${fsid}
mon host = [v2:127.0.0.1:${mon.v2},v1:127.0.0.1:${mon.v1}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv4 = true
ms bind ipv6 = false
# Below the ports that the system gives away; a port that is taken is skipped.
ms bind port min = 21000
ms bind port max = 29000
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon allow pool delete = true
mon max pg per osd = 1000
debug rocksdb = 0/0

[mon]
${daemon}
mon data = ${directory}/mon
keyring = ${directory}/mon.keyring
mon cluster log to file = false
mon data avail warn = 1
mon data avail crit = 1
# A single monitor need not wait for others, nor for changes that may follow.
mon election timeout = 1
paxos propose interval = 0.1
paxos min wait = 0.01
mon osd cache size = 10
rocksdb cache size = 16777216

[mgr]
${daemon}
mgr data = ${directory}/mgr
keyring = ${directory}/mgr.x.keyring
# Statistics come without any of its modules, and most of its time goes into loading them.
mgr module path = ${directory}/mgr
mgr initial modules =
mgr stats period = 1

[osd]
${daemon}
osd data = ${directory}/osd
keyring = ${directory}/osd.0.keyring
osd objectstore = bluestore
bluestore block size = ${16 * 1024 ** 3}
bluestore block db create = false
bluestore block wal create = false
# Making and starting an OSD closes its device ten times, and each time waits for one poll.
bdev aio poll ms = 20
bluestore fsck on mkfs = false
bluestore cache autotune = false
bluestore cache size = 134217728
osd memory target = 939524096
osd op num shards = 2
osd op num threads per shard = 1
osd max scrubs = 1
osd scrub min interval = 864000

[mon.a]
host = localhost

[client]
log file =
admin socket =
keyring = ${directory}/ceph.$name.keyring
`;
}
