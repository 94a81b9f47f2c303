"""What ClaudeCredentials mean: keys, identities and logins."""
