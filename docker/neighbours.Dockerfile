# Keystone and Ceph for trying the service out, from Debian's packages: for the profiles of compose.yaml, and for nothing
# else. They keep their data in a volume and run as root.
ARG BASE_IMAGE=docker.io/library/debian:bookworm-slim

FROM ${BASE_IMAGE} AS keystone
RUN apt-get update \
  && apt-get install --yes --no-install-recommends \
     curl keystone python3-openstacksdk uwsgi-core uwsgi-plugin-python3 \
  && rm -rf /var/lib/apt/lists/*
COPY keystone /usr/local/bin/start-keystone
EXPOSE 5000
CMD ["sh", "/usr/local/bin/start-keystone"]

FROM ${BASE_IMAGE} AS ceph
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ceph-common ceph-mgr ceph-mon ceph-osd uuid-runtime \
  && rm -rf /var/lib/apt/lists/*
COPY ceph /usr/local/bin/start-ceph
CMD ["sh", "/usr/local/bin/start-ceph"]
