# Programs in Go that the other targets use, pinned with all they are made of. Included by the Makefile, first.

TOOLS := .tools
# Programs that were built from tools/go go first.
export PATH := $(CURDIR)/$(TOOLS):$(PATH)

# Each folder below tools/go is a Go module that pins one program, with all it is made of, by hash.
$(TOOLS)/%: tools/go/%/go.mod
	@command -v go >/dev/null || { echo "make: go is needed to build $*; on Debian: apt-get install golang" >&2; exit 1; }
	@echo "make: building $*, pinned in $<"
	@mkdir -p $(TOOLS) && cd tools/go/$* && go build -mod=readonly -trimpath -o $(CURDIR)/$@ $$(sed -n 's/^tool //p' go.mod)
