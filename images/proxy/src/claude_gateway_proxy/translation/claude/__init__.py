"""What OpenAI's formats have in common on their way to a Claude: its models, turns, tools, media and thinking."""
