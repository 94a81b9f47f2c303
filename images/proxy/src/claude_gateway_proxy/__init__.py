"""The processes of a proxy pod: the gateway, the LiteLLM worker and the agent."""
