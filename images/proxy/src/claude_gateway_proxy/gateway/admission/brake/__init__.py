"""The brake: stops sessions and agents that run away, by what they use and by what they repeat."""
