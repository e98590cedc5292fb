"""The emulated machine: GEMMs and convolutions as passes over an array of PEs, their closed forms and counters."""
