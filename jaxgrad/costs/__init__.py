"""What a schedule costs, from shapes and hardware alone: pure functions, no data."""
