{{- define "placeorder.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- /* Takes a list of the root and the component. */ -}}
{{- define "placeorder.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
{{- with index . 1 }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "placeorder.labels" -}}
{{- $root := index . 0 -}}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
{{ include "placeorder.selector" . }}
{{- end }}

{{- /* What all processes read of Redis, in the words of docs/configuration.md. */ -}}
{{- define "placeorder.redisEnv" -}}
{{- $redis := .Values.redis -}}
{{- if $redis.passwordSecret.name }}
- name: REDIS_PASSWORD
  valueFrom: { secretKeyRef: { name: {{ $redis.passwordSecret.name }}, key: {{ $redis.passwordSecret.key }} } }
{{- end }}
{{- $scheme := ternary "rediss" "redis" $redis.tls }}
{{- with $redis.username }}
- { name: REDIS_USERNAME, value: {{ . | quote }} }
{{- end }}
{{- $urls := list }}
{{- range (ternary (list (first $redis.addresses)) $redis.addresses (eq $redis.mode "sentinel")) }}
{{- $urls = append $urls (printf "%s://%s" $scheme .) }}
{{- end }}
- { name: REDIS_URL, value: {{ join "," $urls | quote }} }
{{- if eq $redis.mode "cluster" }}
- { name: REDIS_CLUSTER, value: "true" }
{{- end }}
{{- if eq $redis.mode "sentinel" }}
- { name: REDIS_SENTINELS, value: {{ join "," $redis.addresses | quote }} }
- { name: REDIS_SENTINEL_NAME, value: {{ $redis.sentinelMaster | quote }} }
{{- with $redis.sentinel }}
{{- if .username }}
- { name: REDIS_SENTINEL_USERNAME, value: {{ .username | quote }} }
{{- end }}
{{- if .passwordSecret.name }}
- name: REDIS_SENTINEL_PASSWORD
  valueFrom: { secretKeyRef: { name: {{ .passwordSecret.name }}, key: {{ .passwordSecret.key }} } }
{{- end }}
{{- end }}
{{- end }}
{{- if $redis.certificates.secret }}
- { name: REDIS_TLS_CA_FILE, value: /redis-tls/ca.crt }
{{- if $redis.certificates.client }}
- { name: REDIS_TLS_CERT_FILE, value: /redis-tls/tls.crt }
- { name: REDIS_TLS_KEY_FILE, value: /redis-tls/tls.key }
{{- end }}
{{- end }}
- { name: SHARDS, value: {{ int64 .Values.shards | quote }} }
- { name: REPLICAS_MIN, value: {{ int64 .Values.replicasMin | quote }} }
- { name: DURABILITY, value: {{ .Values.durability }} }
- { name: LOG_LEVEL, value: {{ .Values.logLevel }} }
{{- end }}

{{- /* The admin port of ingress and worker, and where they send traces. */ -}}
{{- define "placeorder.adminEnv" -}}
- { name: ADMIN_PORT, value: "9100" }
{{- with .Values.otlpEndpoint }}
- { name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }} }
{{- end }}
{{- end }}

{{- /* The archive's URL, of the role that this process has. Takes a list of the root and the key in the Secret. */ -}}
{{- define "placeorder.archiveEnv" -}}
{{- $archive := (index . 0).Values.archive -}}
{{- if $archive.enabled -}}
- name: ARCHIVE_URL
  valueFrom: { secretKeyRef: { name: {{ $archive.secret.name }}, key: {{ index . 1 }} } }
{{- end }}
{{- end }}

{{- /* The certificates for the stores: a list of volumes, and one of mounts. */ -}}
{{- define "placeorder.certificateVolumes" -}}
{{- with .Values.redis.certificates.secret }}
- { name: redis-tls, secret: { secretName: {{ . }}, defaultMode: 0440 } }
{{- end }}
{{- if .Values.archive.enabled }}
{{- with .Values.archive.certificates.secret }}
- { name: postgres-tls, secret: { secretName: {{ . }}, defaultMode: 0440 } }
{{- end }}
{{- end }}
{{- end }}

{{- define "placeorder.certificateMounts" -}}
{{- if .Values.redis.certificates.secret }}
- { name: redis-tls, mountPath: /redis-tls, readOnly: true }
{{- end }}
{{- if and .Values.archive.enabled .Values.archive.certificates.secret }}
- { name: postgres-tls, mountPath: /postgres-tls, readOnly: true }
{{- end }}
{{- end }}

{{- /* The pod of a command of the archive, as the owner of its tables. Takes a list of the root and the arguments. */ -}}
{{- define "placeorder.archiveCommand" -}}
{{- $root := index . 0 -}}
{{- with $root -}}
restartPolicy: Never
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "placeorder.podSecurity" . | nindent 2 }}
{{- include "placeorder.nodes" . }}
containers:
  - name: archive
    image: {{ include "placeorder.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args: {{ concat (list "apps/operator/src/archive/main.ts") (index $ 1) | toJson }}
    env:
      {{- include "placeorder.redisEnv" . | trim | nindent 6 }}
      {{- include "placeorder.archiveEnv" (list . .Values.archive.secret.ownerKey) | nindent 6 }}
      - { name: REQUESTS_KEEP_MONTHS, value: {{ int64 .Values.archive.requestsKeepMonths | quote }} }
    resources: {{ toJson .Values.archive.resources }}
    securityContext:
      {{- include "placeorder.containerSecurity" . | nindent 6 }}
    volumeMounts:
      {{- include "placeorder.certificateMounts" . | trim | default "[]" | nindent 6 }}
volumes:
  {{- include "placeorder.certificateVolumes" . | trim | default "[]" | nindent 2 }}
{{- end }}
{{- end }}

{{- define "placeorder.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- /* Nothing of a process's own needs to be written, and nothing to be root for. */ -}}
{{- define "placeorder.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "placeorder.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- /* A process is up once its admin port answers, which waits for Redis up to 30 s; ready once Redis is durable. */ -}}
{{- define "placeorder.probes" -}}
startupProbe:
  httpGet: { path: /livez, port: admin }
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /livez, port: admin }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: { path: /readyz, port: admin }
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
{{- end }}

{{- define "placeorder.placement" -}}
{{- $root := index . 0 -}}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "placeorder.selector" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- include "placeorder.nodes" $root }}
{{- end }}

{{- define "placeorder.nodes" -}}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- end }}

{{- /*
The wait to expect in ms if no order were refused, as of the last 30 s: by Little's law the orders that wait for an outcome over
those claimed in a second; as much more as refused ones are beside claimed ones. Those in flight at ingresses wait, also in groups
held back while workers have no time for them; what is being signed does not. Of orders whose callers were answered without an
outcome only the open ones are known. Takes the series' labels.
*/ -}}
{{- define "placeorder.waitQuery" -}}
{{- $inFlight := printf "sum(placeorder_orders_in_flight{%s} - placeorder_signatures_in_flight{%s})" . . }}
{{- $waiting := printf "clamp_min(%s, scalar(max(placeorder_open_orders{%s})))" $inFlight . }}
{{- $claimed := printf "sum(irate(placeorder_group_orders_sum{kind=\"intake\",%s}[30s]))" . }}
{{- $claimed = printf "clamp_min(avg_over_time(%s[30s:5s]), 1)" $claimed }}
{{- $refused := "endpoint=\"place\",code=\"REQUEST_TRAFFIC_EXCEED_LIMIT\"" }}
{{- $refused = printf "(sum(irate(placeorder_answers_total{%s,%s}[30s])) or vector(0))" $refused . }}
{{- $waiting = printf "avg_over_time(%s[30s:5s])" $waiting }}
{{- $refused = printf "avg_over_time(%s[30s:5s])" $refused }}
{{- printf "1000 * %s / %s * (1 + %s / %s)" $waiting $claimed $refused $claimed }}
{{- end }}
