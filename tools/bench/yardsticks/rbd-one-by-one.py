"""Moves a file into RBD, or out of it, as Glance's driver does: one piece of 8 MiB after the other.

usage: rbd-one-by-one.py CONF USER POOL write FILE | read NAME

Prints the seconds that it took. What is written is an image `one-by-one` of the size of the file.
"""
import hashlib
import os
import sys
import time

import rados
import rbd

PIECE = 8 * 1024 * 1024


def write(ioctx, path):
    sums = hashlib.sha512(), hashlib.md5()
    with open(path, "rb") as source:
        rbd.RBD().create(ioctx, "one-by-one", os.path.getsize(path), 23, old_format=False, features=1)
        with rbd.Image(ioctx, "one-by-one") as image:
            offset = 0
            while piece := source.read(PIECE):
                offset += image.write(piece, offset)
                for each in sums:
                    each.update(piece)


def read(ioctx, name):
    with rbd.Image(ioctx, name, read_only=True) as image:
        size = image.size()
        for offset in range(0, size, PIECE):
            image.read(offset, min(PIECE, size - offset))


conf, user, pool, what, name = sys.argv[1:]
with rados.Rados(conffile=conf, rados_id=user) as cluster, cluster.open_ioctx(pool) as ioctx:
    begin = time.monotonic()
    {"write": write, "read": read}[what](ioctx, name)
    print(time.monotonic() - begin)
