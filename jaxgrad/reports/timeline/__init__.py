"""What happens on the array over time: activities of tiles, their Perfetto trace, and registers cycle by cycle."""
