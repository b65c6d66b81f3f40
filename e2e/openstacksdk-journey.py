"""Creates, uploads, finds, downloads, tags and deletes an image with openstacksdk; prints as JSON what it saw."""

import hashlib
import json
import sys

import openstack

source, destination = sys.argv[1:3]
cloud = openstack.connect(cloud="here")

created = cloud.create_image(
    "sdk",
    filename=source,
    disk_format="raw",
    container_format="bare",
    visibility="private",
    meta={"os_distro": "debian"},
    tags=["from-sdk"],
    wait=True,
)
found = cloud.image.find_image("sdk")
cloud.image.download_image(found, stream=False, output=destination)
updated = cloud.image.update_image(found, name="sdk-renamed", os_version="12")
cloud.image.add_tag(updated, "second")
tags = sorted(cloud.image.get_image(found.id).tags)
listed = [image.name for image in cloud.image.images(visibility="private")]

cloud.image.deactivate_image(found)
deactivated = cloud.image.get_image(found.id).status
cloud.image.reactivate_image(found)

empty = cloud.image.create_image("sdk-empty", allow_duplicates=True)
cloud.image.delete_image(empty)
cloud.image.delete_image(found)

print(
    json.dumps(
        {
            "created": {"id": created.id, "status": created.status, "size": created.size},
            "found": {"id": found.id, "checksum": found.checksum, "hash_value": found.hash_value},
            "downloaded_md5": hashlib.md5(open(destination, "rb").read()).hexdigest(),
            "updated": {"name": updated.name, "os_version": updated.os_version},
            "tags": tags,
            "listed": listed,
            "deactivated": deactivated,
            "left": [image.name for image in cloud.image.images()],
            "found_after_delete": cloud.image.find_image("sdk-renamed") is not None,
        }
    )
)
