{{/* Names and labels that all objects share. */}}
{{- define "keywatch.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "keywatch.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 48 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "keywatch.selector" -}}
app.kubernetes.io/name: {{ include "keywatch.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "keywatch.labels" -}}
{{ include "keywatch.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: keywatch
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "keywatch.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "keywatch.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "keywatch.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{/* The configuration as it goes into the ConfigMap: a secret in it would lie there for everybody who may read it. */}}
{{- define "keywatch.config" -}}
{{- $found := regexFindAll "[{,]\"(password|client_secret|key_password|api_key|sasl\\.password|ssl\\.key\\.password|ssl\\.key\\.pem|ssl\\.keystore\\.password|sasl\\.oauthbearer\\.client\\.secret)\":" (toJson .Values.config) -1 -}}
{{- range $found -}}
{{- fail (printf "config: %s is a secret, and a ConfigMap is no place for it: name its file (…_file) and mount a Secret by secrets" (regexFind "[a-z_.]+" .)) -}}
{{- end -}}
{{- toYaml .Values.config -}}
{{- end -}}

{{- define "keywatch.execProbes" -}}
{{- if or (eq .Values.probes.kind "exec") (and (eq .Values.probes.kind "auto") .Values.web.existingSecret) -}}true{{- end -}}
{{- end -}}

{{- define "keywatch.scheme" -}}
{{- if .Values.web.tls -}}HTTPS{{- else -}}HTTP{{- end -}}
{{- end -}}

{{/* One rule of egress: `to` peers, empty for anybody, by TCP on `ports`. */}}
{{- define "keywatch.egress" -}}
{{- if .ports }}
- ports:
    {{- range .ports }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "keywatch.dns" -}}
{{- if .ports }}
- ports:
    {{- range .ports }}
    - {port: {{ . }}, protocol: UDP}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}
