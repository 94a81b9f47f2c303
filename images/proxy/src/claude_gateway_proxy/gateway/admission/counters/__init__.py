"""Where the demands of requests are counted: in the memory of one process, or in Valkey for all of them."""
