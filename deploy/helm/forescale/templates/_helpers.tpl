{{- define "forescale.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "forescale.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "forescale.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "forescale.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "forescale.selector" -}}
app.kubernetes.io/name: {{ include "forescale.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The number of shards, where there is more than one. */}}
{{- define "forescale.isSharded" -}}
{{- if gt (int .Values.shards) 1 }}true{{ end }}
{{- end }}

{{/*
What the release and one of its shards are called, from a list of the root and the number. Two digits must fit behind the
name; whoever makes manifests (--scaler) only adds the number.
*/}}
{{- define "forescale.whole" -}}
{{- $name := include "forescale.fullname" . }}
{{- if include "forescale.isSharded" . }}{{ $name | trunc 60 | trimSuffix "-" }}{{ else }}{{ $name }}{{ end }}
{{- end }}

{{- define "forescale.shardName" -}}
{{- include "forescale.whole" (index . 0) }}
{{- if include "forescale.isSharded" (index . 0) }}-{{ index . 1 }}{{ end }}
{{- end }}

{{- define "forescale.shardSelector" -}}
{{- include "forescale.selector" (index . 0) }}
{{- if include "forescale.isSharded" (index . 0) }}
forescale.io/shard: {{ index . 1 | quote }}
{{- end }}
{{- end }}

{{- define "forescale.shardLabels" -}}
{{- include "forescale.labels" (index . 0) }}
{{- if include "forescale.isSharded" (index . 0) }}
forescale.io/shard: {{ index . 1 | quote }}
{{- end }}
{{- end }}

{{- define "forescale.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "forescale.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: scaler
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Of the Job that assesses the fleet: neither the Service nor the NetworkPolicy selects its pods. */}}
{{- define "forescale.assessLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ include "forescale.name" . | trunc 56 | trimSuffix "-" }}-assess
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: assess
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "forescale.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "forescale.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "forescale.tlsSecret" -}}
{{- if .Values.tls.existingSecret }}
{{- .Values.tls.existingSecret }}
{{- else if .Values.tls.certManager.enabled }}
{{- include "forescale.fullname" . }}-tls
{{- else }}
{{- fail "tls.enabled needs tls.existingSecret, or tls.certManager.enabled" }}
{{- end }}
{{- end }}

{{/* The path of a policy's file below /models: `team/web` stays, `web` becomes `local/web`. */}}
{{- define "forescale.policyPath" -}}
{{- if contains "/" . }}{{ . }}{{ else }}local/{{ . }}{{ end }}.yaml
{{- end }}

{{/* The whole configuration: what the chart decides over what the user gave. */}}
{{- define "forescale.config" -}}
{{- $config := deepCopy .Values.config }}
{{- $_ := set $config "listen" (dict "grpc" (printf "0.0.0.0:%d" (int .Values.service.port)) "http" (printf "0.0.0.0:%d" (int .Values.service.httpPort))) }}
{{- $_ := set $config "policies" "/policies" }}
{{- if .Values.state.enabled }}
{{- $_ := set $config "state" (dict "path" "/state/forescale") }}
{{- end }}
{{- if .Values.tls.enabled }}
{{- $tls := dict "cert" "/tls/tls.crt" "key" "/tls/tls.key" }}
{{- if .Values.tls.mutual }}{{- $_ := set $tls "clientCa" "/tls/ca.crt" }}{{- end }}
{{- $_ := set $config "grpc" (merge (dict "tls" $tls) (default dict $config.grpc)) }}
{{- end }}
{{- toYaml $config }}
{{- end }}

{{/* There is no image that everybody can pull: say what to set, instead of pods that cannot start. */}}
{{- define "forescale.image" -}}
{{- if not .Values.image.repository }}
{{- fail (printf "image.repository is not set. Push forescale-%s-image.tar of the release to a registry of yours and add --set image.repository=REGISTRY/forescale" .Chart.AppVersion) }}
{{- end -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* The pods of `helm test`; the selector of the Deployment must not match them. */}}
{{- define "forescale.testSelector" -}}
app.kubernetes.io/name: {{ include "forescale.name" . }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
