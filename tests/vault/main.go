// A Vault dev server with the parts that the tests use, in memory.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"

	log "github.com/hashicorp/go-hclog"
	jwtauth "github.com/hashicorp/vault-plugin-auth-jwt"
	kubeauth "github.com/hashicorp/vault-plugin-auth-kubernetes"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/helper/logging"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

// registry names the builtin plugins: Vault mounts nothing that it does not list.
type registry map[consts.PluginType]map[string]logical.Factory

func (r registry) Get(name string, kind consts.PluginType) (func() (any, error), bool) {
	factory, found := r[kind][name]
	return func() (any, error) { return factory, nil }, found
}

func (r registry) Contains(name string, kind consts.PluginType) bool {
	_, found := r[kind][name]
	return found
}

func (r registry) Keys(kind consts.PluginType) []string {
	names := []string{}
	for name := range r[kind] {
		names = append(names, name)
	}
	return names
}

func (r registry) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, r.Contains(name, kind)
}

func (r registry) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	logger := logging.NewVaultLogger(log.Error)
	physical, err := inmem.NewInmem(nil, logger)
	must(err)
	logins := map[string]logical.Factory{
		"approle": approle.Factory, "jwt": jwtauth.Factory, "kubernetes": kubeauth.Factory,
	}
	engines := map[string]logical.Factory{"kv": kv.Factory}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical: physical, Logger: logger, DisableMlock: true, DisableCache: true,
		CredentialBackends: logins, LogicalBackends: engines,
		BuiltinRegistry: registry{consts.PluginTypeCredential: logins, consts.PluginTypeSecrets: engines},
	})
	must(err)
	ctx := context.Background()
	init, err := core.Initialize(ctx, &vault.InitParams{
		BarrierConfig: &vault.SealConfig{SecretShares: 1, SecretThreshold: 1},
	})
	must(err)
	unsealed, err := core.Unseal(init.SecretShares[0])
	must(err)
	if !unsealed {
		must(fmt.Errorf("still sealed"))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	fmt.Printf("http://%s %s\n", listener.Addr(), init.RootToken)
	handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{Core: core, ListenerConfig: &configutil.Listener{Address: listener.Addr().String()}})
	must(http.Serve(listener, handler))
}
