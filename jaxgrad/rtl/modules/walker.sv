// Walks the tiles of a GEMM for one slot: its streamed rows, or the rows that a tile loads or drains.
// From cycle `start` on, a tile every `period` cycles, the rows' axis (p) innermost. Of each tile, row number n is at hand in
// cycle n * stride + offset.
module walker #(
    parameter int BITS = 32,
    parameter int ROWS = 1,
    parameter int COLS = 1
) (
    input  logic clk,
    input  logic begins,  // takes the numbers below over; the next cycle is cycle 0
    input  logic runs,
    input  logic used,  // whether the slot takes part
    input  logic [BITS-1:0] start,
    input  logic [BITS-1:0] period,
    input  logic [BITS-1:0] stride,
    input  logic [BITS-1:0] offset,
    input  logic [BITS-1:0] length,  // rows of a tile
    input  logic [BITS-1:0] size_p,
    input  logic [BITS-1:0] size_q,
    output logic busy,
    output logic [BITS-1:0] row,
    output logic first_p,  // whether no tile came before this one along p, along q
    output logic first_q,
    output logic [BITS-1:0] left_p,  // elements along p from this tile's first on, and along q
    output logic [BITS-1:0] left_q,
    output logic [BITS-1:0] base_p,  // rows of the tiles before it, along p and along q
    output logic [BITS-1:0] base_q
);
  logic [BITS-1:0] waiting, phase, turn;
  logic active, tile_ends;
  assign tile_ends = phase == period - 1;
  assign busy = runs && active && waiting == 0 && turn == offset && row < length;
  always_ff @(posedge clk) begin
    if (begins) begin
      active <= used;
      waiting <= start;
      phase <= 0;
      turn <= 0;
      row <= 0;
      first_p <= 1'b1;
      first_q <= 1'b1;
      left_p <= size_p;
      left_q <= size_q;
      base_p <= 0;
      base_q <= 0;
    end else if (runs && waiting != 0) begin
      waiting <= waiting - 1;
    end else if (runs && active) begin
      phase <= tile_ends ? 0 : phase + 1;
      turn <= tile_ends || turn == stride - 1 ? 0 : turn + 1;
      if (tile_ends) row <= 0;
      else if (turn == stride - 1) row <= row + 1;
      if (tile_ends) begin
        if (left_p > BITS'(ROWS)) begin
          first_p <= 1'b0;
          left_p <= left_p - BITS'(ROWS);
          base_p <= base_p + length;
        end else begin
          first_p <= 1'b1;
          left_p <= size_p;
          base_p <= 0;
          first_q <= 1'b0;
          left_q <= left_q - BITS'(COLS);
          base_q <= base_q + length;
          active <= left_q > BITS'(COLS);
        end
      end
    end
  end
endmodule
