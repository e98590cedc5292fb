// Partial sums of one lane of an edge. A read sees a write of the same cycle.
module psum_buffer #(
    parameter int WIDTH = 32,
    parameter int DEPTH = 1024
) (
    input  logic clk,
    input  logic write,
    input  logic [$clog2(DEPTH)-1:0] write_address,
    input  logic [WIDTH-1:0] write_data,
    input  logic [$clog2(DEPTH)-1:0] read_address,
    output logic [WIDTH-1:0] read_data
);
  logic [WIDTH-1:0] words[DEPTH];
  always_ff @(posedge clk) if (write) words[write_address] <= write_data;
  assign read_data = write && write_address == read_address ? write_data : words[read_address];
endmodule
