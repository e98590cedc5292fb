// The product of two bf16 words, in fp32.
//
// Two significands of 8 bits make one of at most 16, so that the product fits fp32's 24 bits and is never rounded.
// The exponent may still leave fp32's range. As XLA does on CPU, subnormals are flushed: a subnormal operand counts as
// a zero of its sign, and a product below the smallest normal becomes a zero of the product's sign. (Whether that is
// decided before or after rounding makes no difference, as nothing is rounded.) Above the largest normal it is an
// infinity. A NaN, and zero (or a subnormal) times infinity, give the quiet NaN 0x7fc00000; XLA keeps an operand's
// payload and sign.
//
// So it is for products alone. Where XLA fuses a product and a sum into one instruction, as it does for `a * b + c`
// on CPUs that have one, the product is neither flushed nor made an infinity before the sum; in range nothing differs.
module bf16_multiply (
    input  logic [15:0] a,
    input  logic [15:0] b,
    output logic [31:0] product
);
  localparam logic [7:0] TOP = 8'hff;  // the exponent of infinities and NaNs

  // Unpack. The leading one is right for normal words, and no others reach the significand of the result.
  logic [15:0] significand;  // in [1, 4), 14 bits behind the point
  assign significand = 16'({1'b1, a[6:0]}) * 16'({1'b1, b[6:0]});

  // Normalise: into [1, 2), dropping the leading one.
  logic two_or_more;
  logic [14:0] fraction;
  assign two_or_more = significand[15];
  assign fraction = two_or_more ? significand[14:0] : {significand[13:0], 1'b0};

  logic [9:0] exponent;  // in two's complement: -125 to 382 where no operand is special
  logic [8:0] both_exponents;  // each with its bias of 127
  assign both_exponents = 9'(a[14:7]) + 9'(b[14:7]);
  assign exponent = 10'(both_exponents) + (two_or_more ? -10'd126 : -10'd127);

  // Special values.
  logic zero, infinite, nan, too_small, too_large;
  assign zero = a[14:7] == 0 || b[14:7] == 0;
  assign infinite = a[14:7] == TOP || b[14:7] == TOP;
  assign nan = infinite && (zero || (a[14:7] == TOP && a[6:0] != 0) || (b[14:7] == TOP && b[6:0] != 0));
  assign too_small = exponent[9] || exponent[8:0] == 0;
  assign too_large = !exponent[9] && (exponent[8] || exponent[7:0] == TOP);

  // Pack.
  logic sign;
  assign sign = a[15] ^ b[15];
  always_comb begin
    if (nan) product = 32'h7fc00000;
    else if (infinite) product = {sign, TOP, 23'b0};
    else if (zero || too_small) product = {sign, 31'b0};
    else if (too_large) product = {sign, TOP, 23'b0};
    else product = {sign, exponent[7:0], fraction, 8'b0};
  end
endmodule
