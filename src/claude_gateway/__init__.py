"""Claude Gateway: one address for a team's LLM clients."""
