// A delay line along an edge of the array: lane j sees what lane 0 sees, j cycles later.
module skew #(
    parameter int WIDTH = 1,
    parameter int LANES = 1
) (
    input  logic clk,
    input  logic reset,
    input  logic [WIDTH-1:0] entering,
    output logic [LANES*WIDTH-1:0] lanes
);
  assign lanes[WIDTH-1:0] = entering;
  if (LANES == 1) begin : no_delay
    logic unused;
    assign unused = clk ^ reset;
  end
  for (genvar lane = 1; lane < LANES; lane++) begin : each_lane
    logic [WIDTH-1:0] held;
    always_ff @(posedge clk) begin
      if (reset) held <= '0;
      else held <= lanes[(lane-1)*WIDTH+:WIDTH];
    end
    assign lanes[lane*WIDTH+:WIDTH] = held;
  end
endmodule
