"""Makes every call that openstacksdk has for images, in its proxy and its cloud layer; prints as JSON what it saw.

Needs two stores, `fast` and `slow`. The file named on the command line is what images are made of.
"""

import io
import json
import os
import sys

import openstack

source = sys.argv[1]
data = open(source, "rb").read()
cloud = openstack.connect(cloud="here")
images = cloud.image
formats = {"disk_format": "raw", "container_format": "bare"}
seen = {}

# The proxy: images and their data.
sent = images.upload_image(name="uploaded", data=data, **formats)
seen["uploaded"] = images.get_image(sent).status
seen["streamed"] = b"".join(images.download_image(sent, stream=True).iter_content(4096)) == data
seen["downloaded"] = images.download_image(sent).content == data
staged = images.create_image("staged", allow_duplicates=True, **formats)
seen["staged"] = images.stage_image(staged, data=io.BytesIO(data)).status
images.import_image(staged, method="glance-direct", stores=["fast", "slow"], all_stores_must_succeed=True)
seen["imported"] = cloud.wait_for_image(staged, timeout=60).properties.get("stores")
quick = images.create_image("by import", filename=source, use_import=True, validate_checksum=True, **formats)
seen["by import"] = cloud.wait_for_image(quick, timeout=60).status
everywhere = images.create_image("everywhere", filename=source, use_import=True, all_stores=True, **formats)
seen["everywhere"] = cloud.wait_for_image(everywhere, timeout=60).status
seen["same data"] = images.create_image("by import", filename=source, validate_checksum=True, **formats).id == quick.id
renamed = images.update_image(sent.id, name="renamed", min_disk=1, is_hidden=True, kind="test")
seen["updated"] = [renamed.name, renamed.min_disk, renamed.is_hidden, renamed.properties.get("kind")]
seen["found though hidden"] = images.find_image("renamed").id == sent.id
images.update_image(sent.id, is_hidden=False)
images.update_image_properties(images.get_image(sent.id), hw_disk_bus="scsi", min_ram="64")
seen["properties"] = [images.get_image(sent).hw_disk_bus, images.get_image(sent).min_ram]
images.deactivate_image(sent)
seen["deactivated"] = images.get_image(sent).status
images.reactivate_image(sent)

# The proxy: tags, members, filters.
for tag in ("one", "two"):
    images.add_tag(sent, tag)
images.remove_tag(sent, "one")
seen["tags"] = images.get_image(sent).tags
images.update_image(sent.id, visibility="shared")
images.add_member(sent, member_id="somebody")
images.add_member(sent, member_id="another")
seen["members"] = sorted(member.id for member in images.members(sent))
seen["member"] = images.get_member("somebody", sent).status
seen["accepted"] = images.update_member("somebody", sent, status="accepted").status
seen["found member"] = images.find_member("somebody", sent).status
images.remove_member("another", sent)
images.remove_member("nobody", sent)
seen["members left"] = [member.id for member in images.members(sent)]
filters = [
    {"name": "renamed"},
    {"visibility": "shared", "member_status": "all"},
    {"status": "active", "tag": "two"},
    {"sort_key": "size", "sort_dir": "asc", "status": "in:queued,deactivated"},
    {"size_min": len(data), "size_max": len(data), "updated_at": "gte:2020-01-01T00:00:00Z"},
    {"is_hidden": False, "sort": "name:desc", "limit": 1},
    {"owner": "nobody"},
    {"created_at": "gte:2020-01-01T00:00:00Z", "name": "in:renamed,staged"},
]
seen["filtered"] = [sorted(str(image.name) for image in images.images(**query)) for query in filters]

# The proxy: tasks, stores, schemas.
wish = {"import_from": "http://127.0.0.1:9/x", "import_from_format": "raw", "image_properties": {"name": "task"}}
task = images.create_task(type="import", input=wish)
try:
    images.wait_for_task(task, interval=0.2, wait=60)
except openstack.exceptions.ResourceFailure:
    seen["task"] = images.get_task(task).status
seen["listed task"] = task.id in [one.id for one in images.tasks(type="import", status="failure")]
seen["stores"] = sorted(store.id for store in images.stores())
# openstacksdk: get_import_info of 0.101 asks for an id that there is none of.
kinds = ("image", "images", "member", "members", "task", "tasks")
seen["schemas"] = [getattr(images, f"get_{kind}_schema")().name for kind in kinds]

# The cloud layer.
made = cloud.create_image("clouded", filename=source, wait=True, timeout=60, meta={"a": "b"}, min_disk="2", **formats)
seen["made"] = [made.status, made.min_disk, made.properties.get("a")]
seen["listed"] = made.id in [image.id for image in cloud.list_images(show_all=True)]
seen["searched"] = [image.name for image in cloud.search_images("cloud*", filters={"status": "active"})]
seen["got"] = [cloud.get_image(made.id).name, cloud.get_image_by_id(made.id).name, cloud.get_image_name(made.id)]
seen["id"] = cloud.get_image_id("clouded") == made.id
seen["excluded"] = cloud.get_image_exclude("clouded", "cloud")
cloud.update_image_properties(image=cloud.get_image(made.id), os_distro="debian")
seen["distro"] = cloud.get_image_by_id(made.id).os_distro
cloud.download_image("clouded", output_path=source + ".cloud")
seen["saved"] = open(source + ".cloud", "rb").read() == data
os.remove(source + ".cloud")
output = io.BytesIO()
cloud.download_image(made.id, output_file=output)
seen["written"] = output.getvalue() == data
seen["deleted"] = [cloud.delete_image(made.id, wait=True, timeout=60), cloud.delete_image("nobody's")]
for image in (sent, staged, quick, everywhere):
    images.delete_image(image, ignore_missing=False)
images.delete_image(sent)
seen["left"] = [image.name for image in images.images() if image.name != "task"]
print(json.dumps(seen, default=str))
