"""Where else a run is logged as it trains, besides its own metrics.jsonl: a table, or the tools that people watch."""
