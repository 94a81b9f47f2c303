"""The gateway's identities at clouds: credentials that are fetched and renewed rather than written in the bundle."""
