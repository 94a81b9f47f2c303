"""What GatewayClients mean: keys, tokens, certificates and limits."""
