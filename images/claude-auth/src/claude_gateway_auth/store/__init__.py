"""Where logins live: Secrets in a cluster, or the same Secrets as files in a folder."""
