"""The codec lane: requests and answers are translated between formats in this process, by ``translation``."""
