# The levels that need Kubernetes, as the workflows run them. Included by the Makefile.

KUBERNETES ?= 1.37
# etcd and kube-apiserver of that release; KUBEBUILDER_ASSETS names a folder that has them already.
ENVTEST := $(TOOLS)/envtest
# A release is the newest tag that this tree descends from; FROM names another one, or any commit.
FROM ?= $(shell git describe --tags --abbrev=0 --match 'v*' 2>/dev/null)
OLDER := .artifacts/upgrade

.PHONY: cluster-tools
cluster-tools: ## Build the pinned kind and helm into .tools, unless the same releases are on the PATH (needs go)
	@for tool in kind helm; do \
	  pin=$$(awk -v tool=$$tool '$$1 ~ "^(sigs.k8s.io/kind|helm.sh/helm/v3)$$" {print $$2}' tools/go/$$tool/go.mod); \
	  there=$$($$tool version 2>/dev/null | grep -o 'v[0-9]*\.[0-9]*' | head -n 1); \
	  if [ "$$there" = "$${pin%.*}" ]; then echo "cluster-tools: $$tool $$there is there"; \
	  else $(MAKE) --no-print-directory $(TOOLS)/$$tool || exit 1; fi; done

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
	$(if $(FROM),$(BIN)/python -m tools.crdcompat $(FROM),@echo "crd-compat: no release yet; name a commit: make crd-compat FROM=REF")

.PHONY: e2e-upgrade
e2e-upgrade: e2e-images ## Upgrade the chart of FROM (default: the last tag) to this one under load, 0 failed (needs a cluster like e2e)
ifeq ($(FROM),)
	@echo "e2e-upgrade: no release yet; name a commit: make e2e-upgrade FROM=REF"
else
	@rm -rf $(OLDER) && mkdir -p $(OLDER) && git archive $(FROM) | tar -x -C $(OLDER)
	$(MAKE) --no-print-directory -C $(OLDER) image-proxy image-operator TAG=e2e-older REVISION=$(FROM)
	E2E_OLDER=$(OLDER) E2E_KEEP=$(KEEP) $(BIN)/python -m pytest -s -o timeout=900 tests/upgrade
endif

.PHONY: upgrade
upgrade: cluster-tools crd-compat ## CRDs and chart against the last release
	$(MAKE) --no-print-directory e2e-upgrade
