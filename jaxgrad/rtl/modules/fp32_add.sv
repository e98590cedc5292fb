// The sum of two fp32 words, rounded to the nearest, ties to even.
//
// As XLA does on CPU, subnormals are flushed: a subnormal operand counts as a zero of its sign, and a sum below the
// smallest normal becomes a zero of the sum's sign. Such a sum is exact (both operands are multiples of the smallest
// subnormal), so that none is rounded up to the smallest normal. Zeros are IEEE's: a sum that cancels, and zeros of
// opposite signs, give +0. A NaN, and infinities of opposite signs, give the quiet NaN 0x7fc00000; XLA keeps an
// operand's payload and sign.
module fp32_add (
    input  logic [31:0] a,
    input  logic [31:0] b,
    output logic [31:0] sum
);
  localparam logic [7:0] TOP = 8'hff;  // the exponent of infinities and NaNs

  // Order: the operand of the larger magnitude gives the sum its sign and exponent, and no difference is negative.
  logic swap, larger_sign;
  logic [7:0] larger_exponent, smaller_exponent;
  logic [22:0] larger_fraction, smaller_fraction;
  assign swap = a[30:0] < b[30:0];
  assign {larger_sign, larger_exponent, larger_fraction} = swap ? b : a;
  assign {smaller_exponent, smaller_fraction} = swap ? a[30:0] : b[30:0];

  logic subtract;  // magnitudes, as the signs differ
  assign subtract = a[31] ^ b[31];

  // Align: shift the smaller significand to the larger's exponent. Behind its 24 bits follow guard, round and sticky,
  // the last being the OR of all that was shifted further. From 32 places on nothing of it can matter.
  logic [ 7:0] distance;
  logic [26:0] aligned;
  assign distance = larger_exponent - smaller_exponent;
  always_comb begin
    aligned = smaller_exponent == 0 || distance[7:5] != 0 ? '0 : {1'b1, smaller_fraction, 3'b0};
    for (int bit_of = 4; bit_of >= 0; bit_of--) begin  // the longest shift first: fewer gates than the other way
      if (distance[bit_of]) begin
        aligned = (aligned >> (1 << bit_of)) | 27'((aligned & ~(27'h7ffffff << (1 << bit_of))) != 0);
      end
    end
  end

  // Add. The larger operand's leading one is wrong where that operand is zero or subnormal, but then so is the smaller
  // one, its significand is 0, and the sum's exponent will be 0, which is flushed.
  logic [27:0] total;
  assign total = {2'b01, larger_fraction, 3'b0} + ({1'b0, aligned} ^ {28{subtract}}) + 28'(subtract);

  // Normalise: shift the leading one to the top, where a carry would have put it.
  logic [27:0] normal;
  logic [ 4:0] leading_zeros;
  always_comb begin
    normal = total;
    for (int bit_of = 4; bit_of >= 0; bit_of--) begin
      leading_zeros[bit_of] = normal >> (28 - (1 << bit_of)) == 0;
      if (leading_zeros[bit_of]) normal = normal << (1 << bit_of);
    end
  end
  logic [8:0] exponent;  // in two's complement: -30 to 255 where no operand is special
  assign exponent = 9'(larger_exponent) + 9'd1 - 9'(leading_zeros);

  // Round. A carry out of the fraction moves on into the exponent, as it should.
  logic round_up;
  logic [30:0] rounded;
  assign round_up = normal[3] && (normal[4] || normal[2:0] != 0);
  assign rounded = {exponent[7:0], normal[26:4]} + 31'(round_up);

  // Special values. A NaN's magnitude is larger than infinity's, and infinity's than all others.
  logic cancels, zero, infinite, nan;
  assign cancels = !normal[27];  // nothing is left
  assign zero = cancels || exponent[8] || exponent[7:0] == 0;
  assign infinite = larger_exponent == TOP;
  assign nan = infinite && (larger_fraction != 0 || subtract && smaller_exponent == TOP);

  // Pack.
  logic sign;
  assign sign = larger_sign && !(subtract && (cancels || larger_exponent == 0));
  always_comb begin
    if (nan) sum = 32'h7fc00000;
    else if (infinite) sum = {sign, TOP, 23'b0};
    else if (zero) sum = {sign, 31'b0};
    else if (rounded[30:23] == TOP) sum = {sign, TOP, 23'b0};
    else sum = {sign, rounded};
  end
endmodule
