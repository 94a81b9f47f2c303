"""What users write: ModelRoute, ClaudeCredential, GatewayClient and Budget, and the CRDs generated from them."""
