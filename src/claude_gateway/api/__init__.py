"""What users write: ModelRoute, ClaudeCredential and GatewayClient, and the CRDs generated from them."""
