"""What users write: ModelRoute, ClaudeCredential and GatewayClient, and the CRDs made of them."""
