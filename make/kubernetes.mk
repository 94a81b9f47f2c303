# The levels that need Kubernetes, as the workflows run them. Included by the Makefile.

KUBERNETES ?= 1.37
# etcd and kube-apiserver of that release; KUBEBUILDER_ASSETS names a folder that has them already.
ENVTEST := $(TOOLS)/envtest
# The last release is the newest tag that this tree descends from. Before the first one, this tree's own commit stands in:
# the upgrade replaces every pod all the same. FROM names another tag, or any commit.
FROM ?= $(or $(shell git describe --tags --abbrev=0 --match 'v*' 2>/dev/null),HEAD)
OLDER := .artifacts/upgrade

.PHONY: cluster-tools
cluster-tools: kind-tool helm-tool ## Build the pinned kind and helm into .tools, unless the same releases are on the PATH (needs go)

.PHONY: kind-tool helm-tool
kind-tool helm-tool: %-tool:
	@pin=$$(awk '$$1 ~ "^(sigs.k8s.io/kind|helm.sh/helm/v3)$$" {print $$2}' tools/go/$*/go.mod); \
	there=$$($* version 2>/dev/null | grep -o 'v[0-9]*\.[0-9]*' | head -n 1); \
	if [ "$$there" = "$${pin%.*}" ]; then echo "cluster-tools: $* $$there is there"; \
	else $(MAKE) --no-print-directory $(TOOLS)/$*; fi

.PHONY: test-kubernetes
test-kubernetes: cluster-tools $(if $(KUBEBUILDER_ASSETS),,envtest) ## Operator, API server and chart tests with Kubernetes KUBERNETES
	$(if $(KUBEBUILDER_ASSETS),,KUBEBUILDER_ASSETS=$$($(TOOLS)/setup-envtest use $(KUBERNETES) --bin-dir $(ENVTEST) -p path)) \
	  $(MAKE) --no-print-directory test-operator test-apiserver test-chart

.PHONY: envtest
envtest: $(TOOLS)/setup-envtest
	$(TOOLS)/setup-envtest use $(KUBERNETES) --bin-dir $(ENVTEST)

.PHONY: test-cluster
test-cluster: cluster-tools ## `make e2e` with the pinned kind and helm
	$(MAKE) --no-print-directory e2e

.PHONY: crd-compat
crd-compat: setup ## Check that the CRDs accept every object of the release FROM (default: the last tag)
	$(BIN)/python -m tools.crdcompat $(FROM)

.PHONY: e2e-upgrade
e2e-upgrade: e2e-images ## Upgrade the chart of FROM (default: the last tag) to this one under load, 0 failed (needs a cluster like e2e)
	@rm -rf $(OLDER) && mkdir -p $(OLDER) && git archive $(FROM) | tar -x -C $(OLDER)
	$(MAKE) --no-print-directory -C $(OLDER) image-proxy image-operator TAG=e2e-older REVISION=$(FROM)
	E2E_OLDER=$(OLDER) E2E_KEEP=$(KEEP) $(BIN)/python -m pytest -s -o timeout=900 tests/upgrade

.PHONY: upgrade
upgrade: cluster-tools crd-compat ## CRDs and chart against the last release
	$(MAKE) --no-print-directory e2e-upgrade
