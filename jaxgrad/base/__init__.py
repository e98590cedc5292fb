"""What every room stands on: errors of bad input, schemas of files, files written whole, arithmetic. Free of JAX."""
