{{- define "glance.config" -}}
[DEFAULT]
use_json = True
workers = 1
admin_host = 0.0.0.0
admin_port = 9293
shutdown_notice = {{ .Values.config.shutdownNotice }}
shutdown_grace = {{ .Values.config.shutdownGrace }}

[paste_deploy]
flavor = keystone

[oslo_middleware]
enable_proxy_headers_parsing = True
{{- with .Values.tracing.collector }}

[profiler]
enabled = True
connection_string = otlp://{{ . }}
{{- end }}
{{- range $group, $options := .Values.config.groups }}

[{{ $group }}]
{{- range $option, $value := $options }}
{{ $option }} = {{ $value }}
{{- end }}
{{- end }}
{{ end }}

{{- define "glance.stores" -}}
[DEFAULT]
{{- if and .Values.ceph.enabled .Values.files.enabled }}
{{- fail "files.enabled and ceph.enabled exclude each other: set one of them to false" }}
{{- else if .Values.ceph.enabled }}
enabled_backends = ceph:rbd
staging_store = ceph
show_image_direct_url = True
{{- else if .Values.files.enabled }}
node_staging_uri = file:///var/lib/glance/staging
{{- else }}
{{- fail "Images have no place: set files.enabled or ceph.enabled" }}
{{- end }}
{{- if not (kindIs "invalid" .Values.scrubTime) }}
delayed_delete = True
scrub_time = {{ .Values.scrubTime }}
{{- end }}

[glance_store]
{{- if .Values.ceph.enabled }}
default_backend = ceph

[ceph]
store_description = Ceph RBD
rbd_store_pool = {{ .Values.ceph.pool }}
rbd_store_user = {{ .Values.ceph.user }}
rbd_store_ceph_conf = /etc/ceph/ceph.conf
{{- else }}
stores = file,http
default_store = file
filesystem_store_datadir = /var/lib/glance/images
{{- end }}
{{ end }}
