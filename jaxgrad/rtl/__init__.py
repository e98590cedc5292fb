"""The emulated arrays as synthesizable SystemVerilog, with a testbench that holds the two equal."""
