{{- define "glance.labels" -}}
app.kubernetes.io/name: glance
app.kubernetes.io/component: {{ . }}
{{- end }}

{{- define "glance.image" -}}
{{ .root.Values.image.registry }}glance-{{ .name }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{- define "glance.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Pod Security "restricted", and no right to ask the Kubernetes API. */}}
{{- define "glance.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- end }}

{{- define "glance.podSecurity" -}}
runAsNonRoot: true
runAsUser: 42415
runAsGroup: 42415
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "glance.volumeOwner" -}}
fsGroup: 42415
fsGroupChangePolicy: OnRootMismatch
{{- end }}

{{- define "glance.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop:
    - ALL
{{- end }}

{{- define "glance.spread" -}}
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: {{ .spread }}
  labelSelector:
    matchLabels:
      {{- include "glance.labels" .component | nindent 6 }}
- maxSkew: 1
  topologyKey: topology.kubernetes.io/zone
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "glance.labels" .component | nindent 6 }}
{{- end }}

{{- define "glance.secret" -}}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef:
      name: {{ .root.Values.secrets.glance }}
      key: {{ .key }}
{{- end }}

{{- define "glance.mounts" -}}
- name: config
  mountPath: /etc/glance
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- end }}

{{- define "glance.volumes" -}}
- name: config
  configMap:
    name: glance
    items:
      - key: glance-api.conf
        path: glance-api.conf
      - key: stores.conf
        path: glance-api.conf.d/stores.conf
- name: tmp
  emptyDir:
    sizeLimit: {{ .scratch }}
{{- end }}

{{/* What is mounted where images are read and written. */}}
{{- define "glance.storeMounts" -}}
{{- if .Values.ceph.enabled }}
- name: ceph
  mountPath: /etc/ceph
  readOnly: true
{{- end }}
{{- if .Values.files.enabled }}
- name: images
  mountPath: /var/lib/glance
{{- end }}
{{- end }}

{{- define "glance.storeVolumes" -}}
{{- if .Values.ceph.enabled }}
- name: ceph
  projected:
    sources:
      - configMap:
          name: glance-ceph
      - secret:
          name: {{ .Values.secrets.ceph }}
          items:
            - key: keyring
              path: keyring
{{- end }}
{{- if .Values.files.enabled }}
- name: images
  persistentVolumeClaim:
    claimName: {{ .Values.files.claim | default "glance-images" }}
{{- end }}
{{- end }}

{{/* One step of the schema: the arguments of glance-manage. */}}
{{- define "glance.databaseStep" -}}
- name: {{ last .args }}
  image: {{ include "glance.image" (dict "root" .root "name" "registry") }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  command:
    - glance-manage
  args:
    {{- toYaml .args | nindent 4 }}
  env:
    {{- include "glance.secret" (dict "root" .root "variable" "OS_DATABASE__CONNECTION" "key" "database-connection") | nindent 4 }}
  resources:
    requests:
      cpu: 50m
      memory: 128Mi
    limits:
      memory: 512Mi
  securityContext:
    {{- include "glance.containerSecurity" .root | nindent 4 }}
{{- end }}
