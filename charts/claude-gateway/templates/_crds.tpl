{{- /*
Whether this release installs the CRD of that name ("true" or empty). Takes root and name.

A cluster has each CRD once, and Helm refuses to install one that another release owns. It is left out where somebody else
owns it. Without a cluster to ask (`helm template`, GitOps tools) nothing is found, and it is rendered.
*/ -}}
{{- define "claude-gateway.installsCrd" -}}
{{- include "claude-gateway.values" .root -}}
{{- if .root.Values.crds.install -}}
{{- $there := include "claude-gateway.crd" . | fromYaml -}}
{{- if or (not $there) .root.Values.crds.takeOver -}}
true
{{- else -}}
{{- $annotations := default dict $there.metadata.annotations -}}
{{- if and (eq (default "" (index $annotations "meta.helm.sh/release-name")) .root.Release.Name) (eq (default "" (index $annotations "meta.helm.sh/release-namespace")) .root.Release.Namespace) -}}
true
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The metadata of the CRD of that name in the cluster, as YAML; empty where there is none. */ -}}
{{- define "claude-gateway.crd" -}}
{{- with lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" .name -}}
{{- dict "metadata" (pick .metadata "annotations" "labels") | toYaml -}}
{{- end -}}
{{- end -}}

{{- define "claude-gateway.crdMetadata" -}}
{{- $own := dict -}}
{{- if .root.Values.crds.keep -}}
{{- $_ := set $own "helm.sh/resource-policy" "keep" -}}
{{- end -}}
{{- include "claude-gateway.metadata" (dict "root" .root "component" "crds" "annotations" $own) -}}
{{- end -}}

{{- /* Whether a release has its operator in the cluster ("true" or empty). Takes a list of the release's name and namespace. */ -}}
{{- define "claude-gateway.isInstalled" -}}
{{- $release := first . -}}
{{- range (lookup "apps/v1" "Deployment" (last .) "").items -}}
{{- $labels := default dict .metadata.labels -}}
{{- if and (eq (default "" (index $labels "app.kubernetes.io/instance")) $release) (eq (default "" (index $labels "app.kubernetes.io/component")) "operator") -}}
true
{{- end -}}
{{- end -}}
{{- end -}}
