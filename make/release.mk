# What a release is made of, what it is checked with, and what the workflows run. Included by the Makefile.

.PHONY: lint-workflows
lint-workflows: $(TOOLS)/actionlint .venv-zizmor/.ready ## Check .github/workflows with actionlint and zizmor (needs go)
	$(TOOLS)/actionlint
	.venv-zizmor/bin/zizmor --offline --persona=pedantic .github/workflows

.PHONY: dist
dist: setup ## Wheels, sdists, requirements, bills of materials and checksums in dist/; built twice, with equal bytes
	$(BIN)/python -m tools.release.dist

.PHONY: reproducible
reproducible: setup ## Build the published images twice for this machine; their digests are equal (needs docker buildx)
	$(BIN)/python -m tools.release.image check

.PHONY: sbom
sbom: setup ## The bills of materials (CycloneDX) of images and wheels in .artifacts/sbom
	@for subject in proxy operator python; do \
	  $(BIN)/python -m tools.release.sbom $$subject -o .artifacts/sbom/$$subject.cdx.json || exit 1; done

.PHONY: release-notes
release-notes: setup ## The notes of the release VERSION, from CHANGELOG.md
	@$(BIN)/python -m tools.release.notes $(VERSION)

.PHONY: release-image
release-image: setup $(TOOLS)/cosign ## Build IMAGE (proxy or operator) twice, push it to REGISTRY, sign it, attach its bill of materials
	$(BIN)/python -m tools.release.image release $(IMAGE)

.PHONY: release-chart
release-chart: setup $(TOOLS)/cosign $(TOOLS)/oras helm-tool ## Push the chart, with PROXY_DIGEST and OPERATOR_DIGEST in it, to REGISTRY, and sign it
	$(BIN)/python -m tools.release.chart $(PROXY_DIGEST) $(OPERATOR_DIGEST)

.PHONY: release-publish
release-publish: setup ## Create the release of the tag on GitHub, with notes and the files of dist/ (needs gh)
	@mkdir -p .artifacts && $(BIN)/python -m tools.release.notes > .artifacts/notes.md
	gh release create v$(VERSION) --verify-tag --title v$(VERSION) --notes-file .artifacts/notes.md dist/*

.PHONY: install-check
install-check: install-check-packages install-check-images ## Install a release with the commands of the docs: packages, images, chart

.PHONY: install-check-packages
install-check-packages: dist ## Its packages with pip and pipx, in an empty container (needs docker)
	$(BIN)/python -m pytest -o timeout=1800 tests/install/test_packages.py

.PHONY: install-check-images
install-check-images: cluster-tools setup $(TOOLS)/registry $(TOOLS)/cosign $(TOOLS)/oras ## Its images and chart, published to a registry on this machine, verified and run (needs docker buildx, kubectl)
	$(BIN)/python -m tools.release.trial $(MAKE) --no-print-directory installed-images

.PHONY: installed-images
installed-images: # REGISTRY and SIGNER name a release
	$(BIN)/python -m pytest -o timeout=600 tests/install/test_images.py
	$(BIN)/python -m pytest -o timeout=900 tests/install/test_cluster.py
	docker pull -q $(REGISTRY)/proxy:$(VERSION)
	CLAUDE_GATEWAY_IMAGE=$(REGISTRY)/proxy:$(VERSION) $(BIN)/python -m pytest -s tests/image
