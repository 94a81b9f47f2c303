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
