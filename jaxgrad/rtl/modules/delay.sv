// Gives out what came in CYCLES cycles ago.
module delay #(
    parameter int WIDTH = 1,
    parameter int CYCLES = 1
) (
    input  logic clk,
    input  logic reset,
    input  logic [WIDTH-1:0] entering,
    output logic [WIDTH-1:0] leaving
);
  if (CYCLES == 0) begin : wire_alone
    assign leaving = entering;
  end else begin : line
    logic [CYCLES*WIDTH-1:0] held;
    always_ff @(posedge clk) begin
      if (reset) held <= '0;
      else held <= (CYCLES * WIDTH)'({held, entering});
    end
    assign leaving = held[CYCLES*WIDTH-1-:WIDTH];
  end
endmodule
