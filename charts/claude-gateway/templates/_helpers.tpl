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
  {{- merge $own (default dict .labels) (default dict .root.Values.commonLabels) | toYaml | nindent 2 }}
{{- with merge dict (default dict .annotations) (default dict .root.Values.commonAnnotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Labels and annotations of a pod: those of its kind with the user's, which win nothing over the selector. */ -}}
{{- define "claude-gateway.podMetadata" -}}
{{- $own := include "claude-gateway.selector" . | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/part-of" "claude-gateway" -}}
labels:
  {{- merge $own (default dict .labels) (default dict .root.Values.commonLabels) | toYaml | nindent 2 }}
annotations:
  kubectl.kubernetes.io/default-container: {{ .container }}
  {{- with merge dict (default dict .annotations) (default dict .root.Values.commonAnnotations) }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "claude-gateway.operatorAccount" -}}
{{- default (printf "%s-operator" (include "claude-gateway.fullname" .)) .Values.operator.serviceAccount.name -}}
{{- end -}}

{{- define "claude-gateway.proxyAccount" -}}
{{- default (printf "%s-proxy" (include "claude-gateway.fullname" .)) .Values.proxy.serviceAccount.name -}}
{{- end -}}

{{- define "claude-gateway.claudeCodeAccount" -}}
{{- default (printf "%s-claude-code" (include "claude-gateway.fullname" .)) .Values.claudeCode.serviceAccount.name -}}
{{- end -}}

{{- define "claude-gateway.claudeAuthAccount" -}}
{{- default (printf "%s-claude-auth" (include "claude-gateway.fullname" .)) .Values.claudeAuth.serviceAccount.name -}}
{{- end -}}

{{- /* Where the operator and messages find backend and page. */ -}}
{{- define "claude-gateway.backendURL" -}}
{{- printf "http://%s-claude-code.%s.svc:4100" (include "claude-gateway.fullname" .) .Release.Namespace -}}
{{- end -}}

{{- define "claude-gateway.signInURL" -}}
{{- if and .Values.claudeCode.enabled .Values.claudeAuth.enabled .Values.claudeAuth.oidc.issuer .Values.claudeAuth.signingKey.name -}}
{{- printf "http://%s-claude-auth.%s.svc:4200" (include "claude-gateway.fullname" .) .Release.Namespace -}}
{{- end -}}
{{- end -}}

{{- define "claude-gateway.pageURL" -}}
{{- with .Values.claudeAuth -}}
{{- if .publicURL -}}
{{- trimSuffix "/" .publicURL -}}
{{- else if and .ingress.enabled .ingress.hosts -}}
{{- printf "%s://%s" (ternary "https" "http" (not (empty .ingress.tls))) (first .ingress.hosts) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "claude-gateway.image" -}}
{{- $image := index .root.Values.images .name -}}
{{- $repository := $image.repository -}}
{{- with or .root.Values.images.registry .root.Values.global.imageRegistry -}}
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
{{- with .root.Values.images.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
{{- end -}}

{{- /* The chart's security settings with the user's over them, as YAML. Takes root, own and user; null removes a setting. */ -}}
{{- define "claude-gateway.mergedSecurity" -}}
{{- $merged := mergeOverwrite .own (deepCopy (default dict .user)) -}}
{{- range $name, $value := $merged -}}
{{- if kindIs "invalid" $value -}}
{{- $_ := unset $merged $name -}}
{{- end -}}
{{- end -}}
{{- toYaml $merged -}}
{{- end -}}

{{- /* Whether OpenShift chooses the user and group ids, from a range of the namespace; it rejects those of the chart. */ -}}
{{- define "claude-gateway.choosesIds" -}}
{{- $openshift := default dict (default dict .Values.global.compatibility).openshift -}}
{{- $adapt := default "auto" $openshift.adaptSecurityContext -}}
{{- if or (eq $adapt "force") (and (eq $adapt "auto") (.Capabilities.APIVersions.Has "security.openshift.io/v1")) -}}
true
{{- end -}}
{{- end -}}

{{- /* What the `restricted` Pod Security Standard asks of a pod, with the user's settings over it. Takes root and user. */ -}}
{{- define "claude-gateway.podSecurityContext" -}}
{{- $own := dict "runAsNonRoot" true "runAsUser" 65532 "runAsGroup" 65532 "fsGroup" 65532 "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- if include "claude-gateway.choosesIds" .root -}}
{{- $own = omit $own "runAsUser" "runAsGroup" "fsGroup" -}}
{{- end -}}
{{- include "claude-gateway.mergedSecurity" (dict "own" $own "user" .user) -}}
{{- end -}}

{{- /* And of a container, with a read-only root file system. Takes the user's settings. */ -}}
{{- define "claude-gateway.securityContext" -}}
{{- $own := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) -}}
{{- include "claude-gateway.mergedSecurity" (dict "own" $own "user" .) -}}
{{- end -}}

{{- /* Image pull secrets of the release and of the parent chart, which may list bare names. */ -}}
{{- define "claude-gateway.pullSecrets" -}}
{{- $found := list -}}
{{- range concat (default list .Values.images.pullSecrets) (default list .Values.global.imagePullSecrets) -}}
{{- $found = append $found (ternary (dict "name" .) . (kindIs "string" .)) -}}
{{- end -}}
{{- with uniq $found }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* What every pod has: pull secrets, security, placement, network. Takes root, component and values, those of its part. */ -}}
{{- define "claude-gateway.podFields" -}}
{{- $part := . -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- include "claude-gateway.pullSecrets" .root }}
securityContext:
  {{- include "claude-gateway.podSecurityContext" (dict "root" .root "user" .values.podSecurityContext) | nindent 2 }}
{{- include "claude-gateway.fields" (list .values "nodeSelector" "tolerations" "affinity" "priorityClassName" "runtimeClassName" "schedulerName" "hostAliases" "dnsPolicy" "dnsConfig") }}
{{- with .values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  {{- $own := dict "labelSelector" (dict "matchLabels" (include "claude-gateway.selector" $part | fromYaml)) "matchLabelKeys" (list "pod-template-hash") }}
  - {{- ternary . (merge (deepCopy .) $own) (hasKey . "labelSelector") | toYaml | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{- /*
The number of a Deployment's pods. Where an autoscaler sets it, the live number, within the autoscaler's bounds: a manifest
without a number would make Kubernetes fall back to one pod when the former manifest had one. Without a cluster to ask, none.
Takes root, the Deployment's name, replicas and scaler, the values of both.
*/ -}}
{{- define "claude-gateway.replicas" -}}
{{- $scaler := .scaler -}}
{{- if not (or $scaler.enabled (kindIs "invalid" .replicas)) -}}
{{- int .replicas -}}
{{- else -}}
{{- with lookup "apps/v1" "Deployment" .root.Release.Namespace .name -}}
{{- if $scaler.enabled -}}
{{- max (default 1 $scaler.minReplicas | int) (min (int $scaler.maxReplicas) (int .spec.replicas)) -}}
{{- else -}}
{{- int .spec.replicas -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* A PodDisruptionBudget. Takes root, component, name and values. */ -}}
{{- define "claude-gateway.budget" -}}
{{- $least := ternary "" (toString .values.minAvailable) (kindIs "invalid" .values.minAvailable) -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace | quote }}
  {{- include "claude-gateway.metadata" (merge (pick .values "labels" "annotations") (pick . "root" "component")) | nindent 2 }}
spec:
  {{- if $least }}
  minAvailable: {{ .values.minAvailable }}
  {{- else if not (kindIs "invalid" .values.maxUnavailable) }}
  maxUnavailable: {{ .values.maxUnavailable }}
  {{- end }}
  # A pod that serves nobody must not hold a node up.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "claude-gateway.selector" . | nindent 6 }}
{{- end -}}

{{- /* A HorizontalPodAutoscaler. Takes root, component, name, the container that counts, and values. */ -}}
{{- define "claude-gateway.scaler" -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace | quote }}
  {{- include "claude-gateway.metadata" (merge (pick .values "labels" "annotations") (pick . "root" "component")) | nindent 2 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ .name }}}
  {{- with .values.minReplicas }}
  minReplicas: {{ . | int }}
  {{- end }}
  maxReplicas: {{ .values.maxReplicas | int }}
  metrics:
    {{- with .values.targetCPU }}
    # One container alone: it is what every request passes, and older Kubernetes versions see no sidecars here.
    - type: ContainerResource
      containerResource:
        name: cpu
        container: {{ $.container }}
        target: {type: AverageValue, averageValue: {{ . | quote }}}
    {{- end }}
    {{- with .values.metrics }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .values.behavior }}
  behavior:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- /* An Ingress. Takes root, component, values, and name, port and path of the Service. */ -}}
{{- define "claude-gateway.ingress" -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ .name | quote }}
  namespace: {{ .root.Release.Namespace | quote }}
  {{- include "claude-gateway.metadata" (merge (pick .values "labels" "annotations") (pick . "root" "component")) | nindent 2 }}
spec:
  {{- with .values.className }}
  ingressClassName: {{ . | quote }}
  {{- end }}
  {{- with .values.tls }}
  tls:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  rules:
    {{- range .values.hosts }}
    - host: {{ . | quote }}
      http:
        paths:
          - path: {{ $.path }}
            pathType: Prefix
            backend: {service: {name: {{ $.name | quote }}, port: {number: {{ $.port }}}}}
    {{- end }}
{{- end -}}

{{- /* How a Deployment replaces its pods, besides its strategy. Takes the values of operator or proxy. */ -}}
{{- define "claude-gateway.rolloutFields" -}}
{{- with .minReadySeconds }}
minReadySeconds: {{ . | int }}
{{- end }}
{{- if not (kindIs "invalid" .revisionHistoryLimit) }}
revisionHistoryLimit: {{ .revisionHistoryLimit | int }}
{{- end }}
{{- end -}}

{{- /* A probe. Takes name, values and handler, which the user's own (exec, httpGet, tcpSocket, grpc) replaces; null removes the probe. */ -}}
{{- define "claude-gateway.probe" -}}
{{- with .values }}
{{- $own := ternary dict $.handler (or (hasKey . "exec") (hasKey . "httpGet") (hasKey . "tcpSocket") (hasKey . "grpc")) }}
{{ $.name }}:
  {{- merge (deepCopy .) $own | toYaml | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* A field with its value, for a value that is there. Takes a list of name and value. */ -}}
{{- define "claude-gateway.field" -}}
{{- with index . 1 }}
{{ index $ 0 }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Several fields of an object that have the names of the values. Takes a list of the values and the names. */ -}}
{{- define "claude-gateway.fields" -}}
{{- $values := first . }}
{{- range rest . }}
{{- include "claude-gateway.field" (list . (index $values .)) }}
{{- end }}
{{- end -}}

{{- /* A variable of a container. Takes a list of name and value. Without a value (null), the process uses its own default. */ -}}
{{- define "claude-gateway.env" -}}
{{- $value := index . 1 -}}
{{- if not (kindIs "invalid" $value) -}}
{{- if kindIs "float64" $value -}}
{{- $value = int64 $value -}}
{{- end -}}
- {name: {{ index . 0 }}, value: {{ $value | quote }}}
{{- end -}}
{{- end -}}

{{- /* OpenTelemetry's own variables for the gateway; empty without an endpoint. */ -}}
{{- define "claude-gateway.otlpEnv" -}}
{{- $otlp := .Values.otlp -}}
{{- if $otlp.endpoint -}}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ $otlp.endpoint | quote }}}
- {name: OTEL_SERVICE_NAME, value: {{ include "claude-gateway.fullname" . | quote }}}
{{- if $otlp.headersSecret.name }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom:
    secretKeyRef: {name: {{ $otlp.headersSecret.name }}, key: {{ $otlp.headersSecret.key }}}
{{- end }}
{{- if $otlp.traces }}
- {name: OTEL_TRACES_SAMPLER, value: parentbased_traceidratio}
- {name: OTEL_TRACES_SAMPLER_ARG, value: {{ $otlp.traceRatio | quote }}}
{{- if $otlp.captureContent }}
- {name: OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT, value: SPAN_ONLY}
{{- end }}
{{- else }}
- {name: OTEL_TRACES_EXPORTER, value: none}
{{- end }}
{{- if not $otlp.metrics }}
- {name: OTEL_METRICS_EXPORTER, value: none}
{{- end }}
{{- end -}}
{{- end -}}

{{- /* Whether the operator needs rights in the whole cluster; empty where it does not. */ -}}
{{- define "claude-gateway.clusterwide" -}}
{{- if or .Values.operator.allNamespaces .Values.operator.namespaceSelector }}true{{ end -}}
{{- end -}}

{{- /* Where a process of the proxy may write, in place of the image's folder. Takes the name of its own folder. */ -}}
{{- define "claude-gateway.ownFolderEnv" -}}
- {name: HOME, value: /run/claude-gateway/{{ . }}}
- {name: TMPDIR, value: /run/claude-gateway/{{ . }}}
{{- end -}}

{{- /* Which namespaces the operator serves. Takes the operator's values. */ -}}
{{- define "claude-gateway.scopeEnv" -}}
- {name: CLAUDE_GATEWAY_OPERATOR_WATCH_NAMESPACES, value: {{ join "," (default list .watchNamespaces) | quote }}}
{{- if .allNamespaces }}
- {name: CLAUDE_GATEWAY_OPERATOR_ALL_NAMESPACES, value: "true"}
{{- end }}
{{- with .namespaceSelector }}
- {name: CLAUDE_GATEWAY_OPERATOR_NAMESPACE_SELECTOR, value: {{ . | quote }}}
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

{{- /* What Claude Code needs in its environment: private authorities and an HTTP proxy. */ -}}
{{- define "claude-gateway.cliEnv" -}}
{{- if or .Values.caBundle.configMap .Values.caBundle.secret }}
- {name: NODE_EXTRA_CA_CERTS, value: {{ printf "/etc/claude-gateway/ca/%s" .Values.caBundle.key | quote }}}
{{- end }}
{{- with .Values.egress.httpsProxy }}
- {name: HTTPS_PROXY, value: {{ . | quote }}}
{{- if $.Values.egress.noProxy }}
- {name: NO_PROXY, value: {{ $.Values.egress.noProxy | quote }}}
{{- end }}
{{- end }}
{{- end -}}

{{- /* The volume with private authorities, if there are any, as an item of a list. */ -}}
{{- define "claude-gateway.caVolume" -}}
{{- with .Values.caBundle.configMap }}
- {name: ca, configMap: {name: {{ . | quote }}}}
{{- end }}
{{- with .Values.caBundle.secret }}
- {name: ca, secret: {secretName: {{ . | quote }}, defaultMode: 0440}}
{{- end }}
{{- end -}}

{{- /*
Values after null removed some of them: a missing section is an empty one, so that all of it is off or unset, and what no
manifest can be without has its default again. Each template begins with this; it changes the values in place.
*/ -}}
{{- define "claude-gateway.values" -}}
{{- $sections := list "global" "crds" "rbac" "images" "images.proxy" "images.operator" "images.claudeCode" "images.claudeAuth" "claudeCode" "claudeCode.serviceAccount" "claudeCode.podDisruptionBudget" "claudeCode.autoscaling" "claudeAuth" "claudeAuth.serviceAccount" "claudeAuth.keySecret" "claudeAuth.oidc" "claudeAuth.oidc.clientSecret" "claudeAuth.signingKey" "claudeAuth.ingress" "clients" "clients.proxyCertificates" "clients.proxyCertificates.secretRef" "bootstrap" "bootstrap.existingSecret" "egress" "caBundle" "tls" "tls.clientCA" "operator" "operator.serviceAccount" "limits" "limits.valkey" "limits.valkey.caSecretRef" "limits.valkey.passwordSecretRef" "otlp" "otlp.headersSecret" "usageEvents" "usageEvents.headersSecret" "usageEvents.spool" "proxy" "proxy.gateway" "proxy.gateway.cacheValkey" "proxy.gateway.cacheValkey.caSecretRef" "proxy.gateway.cacheValkey.passwordSecretRef" "proxy.litellm" "proxy.agent" "proxy.workloadIdentity" "proxy.serviceAccount" "service" "ingress" "httpRoute" "networkPolicy" "networkPolicy.apiServer" "networkPolicy.models" "networkPolicy.anthropic" "podDisruptionBudget" "autoscaling" "metrics" "metrics.dashboard" "metrics.serviceMonitor" "metrics.podMonitor" "metrics.prometheusRule" "tests" "tests.keySecret" -}}
{{- range $sections -}}
{{- $at := $.Values -}}
{{- range splitList "." . -}}
{{- if not (kindIs "map" (index $at .)) -}}
{{- $_ := set $at . dict -}}
{{- end -}}
{{- $at = index $at . -}}
{{- end -}}
{{- end -}}
{{- $needed := list (list .Values.images.proxy "repository" "claude-gateway/proxy") (list .Values.images.operator "repository" "claude-gateway/operator") (list .Values.bootstrap.existingSecret "key" "key") (list .Values.caBundle "key" "ca.crt") (list .Values.tls.clientCA "key" "ca.crt") (list .Values.clients.proxyCertificates.secretRef "key" "secret") (list .Values.tests.keySecret "key" "key") (list .Values.service "port" 4000) (list .Values.service "tlsPort" 4443) (list .Values.proxy "drainSeconds" 600) (list .Values.proxy.workloadIdentity "audience" "https://api.anthropic.com") (list .Values.proxy.workloadIdentity "expirationSeconds" 3600) (list .Values.proxy.workloadIdentity "tokens" 4) (list .Values.autoscaling "maxReplicas" 10) (list .Values.images.claudeCode "repository" "claude-gateway/claude-code") (list .Values.images.claudeAuth "repository" "claude-gateway/claude-auth") (list .Values.claudeCode "drainSeconds" 600) (list .Values.claudeCode.autoscaling "maxReplicas" 4) (list .Values.claudeAuth "shutdownSeconds" 20) (list .Values.claudeAuth.keySecret "key" "key") (list .Values.claudeAuth.oidc.clientSecret "key" "client-secret") (list .Values.claudeAuth.signingKey "key" "signing.pem") (list .Values.limits "whenUnavailable" "Allow") (list .Values.limits.valkey.caSecretRef "key" "ca.crt") (list .Values.limits.valkey.passwordSecretRef "key" "password") (list .Values.proxy.gateway.cacheValkey.caSecretRef "key" "ca.crt") (list .Values.proxy.gateway.cacheValkey.passwordSecretRef "key" "password") (list .Values.otlp.headersSecret "key" "headers") (list .Values.usageEvents.headersSecret "key" "headers") (list .Values.usageEvents.spool "maxBytes" 67108864) -}}
{{- range $needed -}}
{{- if kindIs "invalid" (index (index . 0) (index . 1)) -}}
{{- $_ := set (index . 0) (index . 1) (index . 2) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The shortest grace period of the proxy's pods in which everything can end. */ -}}
{{- define "claude-gateway.leastGrace" -}}
{{- add (default 0 .Values.proxy.preStopSeconds) .Values.proxy.drainSeconds (include "claude-gateway.linger" .) 10 -}}
{{- end -}}

{{- /* Seconds for which a pod stays after its last answer, to be scraped. */ -}}
{{- define "claude-gateway.linger" -}}
{{- ternary (default 0 .Values.metrics.podMonitor.lingerSeconds | int) 0 (default false .Values.metrics.podMonitor.enabled) -}}
{{- end -}}

{{- /* Settings that contradict each other and that a schema cannot see. */ -}}
{{- define "claude-gateway.check" -}}
{{- if and .Values.caBundle.configMap .Values.caBundle.secret -}}
{{- fail "caBundle: name a configMap or a secret, not both" -}}
{{- end -}}
{{- $least := include "claude-gateway.leastGrace" . | int -}}
{{- if lt (default $least .Values.proxy.terminationGracePeriodSeconds | int) $least -}}
{{- fail (printf "proxy.terminationGracePeriodSeconds: at least preStopSeconds + drainSeconds + metrics.podMonitor.lingerSeconds + 10, which is %d" $least) -}}
{{- end -}}
{{- if has .Release.Namespace (default list .Values.operator.watchNamespaces) -}}
{{- fail "operator.watchNamespaces: the release's own namespace is always watched, leave it out" -}}
{{- end -}}
{{- if and .Values.operator.allNamespaces (or .Values.operator.namespaceSelector .Values.operator.watchNamespaces) -}}
{{- fail "operator.allNamespaces: already serves every namespace, leave namespaceSelector and watchNamespaces out" -}}
{{- end -}}
{{- if and .Values.metrics.podMonitor.enabled .Values.metrics.serviceMonitor.enabled -}}
{{- fail "metrics: enable podMonitor or serviceMonitor, not both: every sample would be there twice" -}}
{{- end -}}
{{- with .Values.claudeAuth -}}
{{- if and .enabled .ingress.enabled (not .ingress.hosts) -}}
{{- fail "claudeAuth.ingress.hosts: name at least one host" -}}
{{- end -}}
{{- if and .enabled .oidc.issuer (not (and .oidc.clientID (or .oidc.allowed .signingKey.name))) -}}
{{- fail "claudeAuth.oidc: an issuer needs clientID, and allowed (who may use the page) or signingKey.name (people sign in at the gateway)" -}}
{{- end -}}
{{- if and .enabled .oidc.issuer .signingKey.name (not (include "claude-gateway.pageURL" $)) -}}
{{- fail "claudeAuth.signingKey: needs publicURL or the Ingress" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.claudeCode.enabled .Values.claudeCode.autoscaling.enabled (not (or .Values.claudeCode.autoscaling.targetCPU .Values.claudeCode.autoscaling.metrics)) -}}
{{- fail "claudeCode.autoscaling.targetCPU: set it, or name a metric in claudeCode.autoscaling.metrics" -}}
{{- end -}}
{{- if and .Values.claudeCode.autoscaling.enabled (gt (int .Values.claudeCode.autoscaling.minReplicas) (int .Values.claudeCode.autoscaling.maxReplicas)) -}}
{{- fail "claudeCode.autoscaling.minReplicas: not above maxReplicas" -}}
{{- end -}}
{{- with .Values.tls -}}
{{- if and .clientCA.secretName .clientCA.configMapName -}}
{{- fail "tls.clientCA: name a secretName or a configMapName, not both" -}}
{{- end -}}
{{- if and (or .clientCA.secretName .clientCA.configMapName) (not .secretName) -}}
{{- fail "tls.secretName: name the gateway's own certificate, without which tls.clientCA verifies nobody" -}}
{{- end -}}
{{- end -}}
{{- with .Values.clients.proxyCertificates -}}
{{- if and .format (not (or .networks .secretRef.name)) -}}
{{- fail "clients.proxyCertificates: trust networks, a secretRef, or both" -}}
{{- end -}}
{{- if and (eq .format "pem") (not .header) -}}
{{- fail "clients.proxyCertificates.header: the format pem has no usual header, name one" -}}
{{- end -}}
{{- if and (not .format) (or .header .networks .secretRef.name) -}}
{{- fail "clients.proxyCertificates.format: set it, or leave out header, networks and secretRef" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.hosts: name at least one host" -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs: name at least one Gateway" -}}
{{- end -}}
{{- if and (eq (default "ClusterIP" .Values.service.type) "ClusterIP") (or .Values.service.loadBalancerClass .Values.service.externalTrafficPolicy .Values.service.nodePort .Values.service.tlsNodePort) -}}
{{- fail "service.type: loadBalancerClass, externalTrafficPolicy, nodePort and tlsNodePort need NodePort or LoadBalancer" -}}
{{- end -}}
{{- if and .Values.service.trafficDistribution (semverCompare "<1.30.0-0" .Capabilities.KubeVersion.Version) -}}
{{- fail "service.trafficDistribution: needs Kubernetes 1.30" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (not (or .Values.autoscaling.targetCPU .Values.autoscaling.metrics)) -}}
{{- fail "autoscaling.targetCPU: set it, or name a metric in autoscaling.metrics" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas: not above maxReplicas" -}}
{{- end -}}
{{- end -}}
