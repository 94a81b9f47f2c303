"""Who the gateway is at the clouds: credentials that are fetched and renewed rather than written in the bundle."""
