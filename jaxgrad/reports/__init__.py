"""Tables and figures of counts that others made: draws, never computes."""
