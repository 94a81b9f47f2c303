"""The files of a user: configuration as YAML, Secrets, settings and the folders of this machine."""
