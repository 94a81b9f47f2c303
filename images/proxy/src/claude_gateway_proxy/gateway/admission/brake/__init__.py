"""The brake: stops runaway sessions and agents, by their usage and by their repetitions."""
