{{- /* Names, labels and parts that several manifests share. */ -}}

{{- define "claude-gateway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /*
What every name begins with. At most 50 characters, so that the longest suffix still makes a name of 63; what is longer
is cut and gets a part of its hash, so that two long names stay two.
*/ -}}
{{- define "claude-gateway.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := printf "%s-%s" .Release.Name $name -}}
{{- if .Values.fullnameOverride -}}
{{- $full = .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- $full = .Release.Name -}}
{{- end -}}
{{- /* A Service's name begins with a letter; a release's may begin with a digit, and may have dots. */ -}}
{{- $full = regexReplaceAll "^([0-9])" (replace "." "-" $full) "r${1}" -}}
{{- if gt (len $full) 50 -}}
{{- $full = printf "%s-%s" (trunc 41 $full | trimSuffix "-") (sha256sum $full | trunc 8) -}}
{{- end -}}
{{- $full -}}
{{- end -}}

{{- /* Names of objects outside the release's namespace: two releases of one name must not meet there. */ -}}
{{- define "claude-gateway.foreignName" -}}
{{- printf "%s.%s" .Release.Namespace (include "claude-gateway.fullname" .) -}}
{{- end -}}

{{- define "claude-gateway.selector" -}}
app.kubernetes.io/name: {{ include "claude-gateway.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- /* Labels and annotations of an object. Takes root, component, and labels and annotations of its own. */ -}}
{{- define "claude-gateway.metadata" -}}
{{- $own := include "claude-gateway.selector" . | fromYaml -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_") -}}
{{- $_ := set $own "app.kubernetes.io/version" .root.Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $own "app.kubernetes.io/part-of" "claude-gateway" -}}
labels:
  {{- merge $own (default dict .labels) .root.Values.commonLabels | toYaml | nindent 2 }}
{{- with merge dict (default dict .annotations) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Labels and annotations of a pod: those of its kind with the user's, which win nothing over the selector. */ -}}
{{- define "claude-gateway.podMetadata" -}}
{{- $own := include "claude-gateway.selector" . | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/part-of" "claude-gateway" -}}
labels:
  {{- merge $own .labels .root.Values.commonLabels | toYaml | nindent 2 }}
annotations:
  kubectl.kubernetes.io/default-container: {{ .container }}
  {{- with merge dict .annotations .root.Values.commonAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "claude-gateway.operatorAccount" -}}
{{- default (printf "%s-operator" (include "claude-gateway.fullname" .)) .Values.operator.serviceAccount.name -}}
{{- end -}}

{{- define "claude-gateway.proxyAccount" -}}
{{- default (printf "%s-proxy" (include "claude-gateway.fullname" .)) .Values.proxy.serviceAccount.name -}}
{{- end -}}

{{- define "claude-gateway.image" -}}
{{- $image := index .root.Values.images .name -}}
{{- $repository := $image.repository -}}
{{- with .root.Values.images.registry -}}
{{- $repository = printf "%s/%s" (trimSuffix "/" .) $repository -}}
{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .root.Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "claude-gateway.imageFields" -}}
image: {{ include "claude-gateway.image" . | quote }}
imagePullPolicy: {{ .root.Values.images.pullPolicy }}
{{- end -}}

{{- /* What the `restricted` Pod Security Standard asks of a pod, with the user's settings over it. */ -}}
{{- define "claude-gateway.podSecurityContext" -}}
{{- $own := dict "runAsNonRoot" true "runAsUser" 65532 "runAsGroup" 65532 "fsGroup" 65532 "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- mergeOverwrite $own (deepCopy .) | toYaml -}}
{{- end -}}

{{- /* And of a container; no root file system that could be written either. */ -}}
{{- define "claude-gateway.securityContext" -}}
{{- $own := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) -}}
{{- mergeOverwrite $own (deepCopy .) | toYaml -}}
{{- end -}}

{{- /* Where pods run. Takes the values of operator or proxy. */ -}}
{{- define "claude-gateway.placement" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end -}}

{{- /* A token of the pod's ServiceAccount, at the place where clients look for it; mounted where it is needed alone. */ -}}
{{- define "claude-gateway.tokenVolume" -}}
name: token
projected:
  defaultMode: 0440
  sources:
    - serviceAccountToken: {path: token, expirationSeconds: 3600}
    - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
    - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
{{- end -}}

{{- define "claude-gateway.tokenMount" -}}
name: token
mountPath: /var/run/secrets/kubernetes.io/serviceaccount
readOnly: true
{{- end -}}

{{- /* What both ways to models need in their environment: authorities and HTTP proxies. */ -}}
{{- define "claude-gateway.egressEnv" -}}
{{- if or .Values.caBundle.configMap .Values.caBundle.secret }}
- {name: SSL_CERT_FILE, value: /run/claude-gateway/ca.pem}
{{- /* google-auth and botocore, which fetch the clouds' identities, bring authorities of their own and read this one. */}}
- {name: REQUESTS_CA_BUNDLE, value: /run/claude-gateway/ca.pem}
{{- end }}
{{- with .Values.egress.httpsProxy }}
- {name: HTTPS_PROXY, value: {{ . | quote }}}
{{- end }}
{{- with .Values.egress.httpProxy }}
- {name: HTTP_PROXY, value: {{ . | quote }}}
{{- end }}
{{- if or .Values.egress.httpsProxy .Values.egress.httpProxy }}
- {name: NO_PROXY, value: {{ .Values.egress.noProxy | quote }}}
{{- end }}
{{- end -}}

{{- /* Settings that contradict each other and that a schema cannot see. */ -}}
{{- define "claude-gateway.check" -}}
{{- if and .Values.caBundle.configMap .Values.caBundle.secret -}}
{{- fail "caBundle: name a configMap or a secret, not both" -}}
{{- end -}}
{{- $least := add .Values.proxy.preStopSeconds .Values.proxy.drainSeconds 10 -}}
{{- if lt (int .Values.proxy.terminationGracePeriodSeconds) (int $least) -}}
{{- fail (printf "proxy.terminationGracePeriodSeconds: at least preStopSeconds + drainSeconds + 10, which is %d" $least) -}}
{{- end -}}
{{- if has .Release.Namespace .Values.operator.watchNamespaces -}}
{{- fail "operator.watchNamespaces: the release's own namespace is always watched, leave it out" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.hosts: name at least one host" -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs: name at least one Gateway" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas: not above maxReplicas" -}}
{{- end -}}
{{- end -}}
