// Words of some columns side by side.
#if defined(__AVX512F__)
constexpr int kBytes = 64;
#elif defined(__AVX__)
constexpr int kBytes = 32;
#else
constexpr int kBytes = 16;
#endif
constexpr int kLanes = kBytes / sizeof(Word);
using Bits = std::conditional_t<sizeof(Word) == 4, int32_t, int64_t>;
typedef Word Vec __attribute__((vector_size(kBytes)));
typedef Bits Mask __attribute__((vector_size(kBytes)));

// Each word is the same; minus zero, since plus zero would make +0 of -0.
inline Vec Splat(Word word) { return word - Vec{}; }

inline Vec Select(bool condition, Vec yes, Vec no) { return condition ? yes : no; }
inline Vec Select(Mask condition, Vec yes, Vec no) { return condition ? yes : no; }

inline Mask AsMask(bool bit) { return Mask{} - Bits(bit); }
inline Mask AsMask(Mask mask) { return mask; }

// The lanes from one on up to another.
inline Mask Between(int64_t begin, int64_t end) {
  Mask lanes;
  for (int lane = 0; lane < kLanes; ++lane) lanes[lane] = -Bits(lane >= begin && lane < end);
  return lanes;
}

// Whether a word is other than zero: a float by its bits, so that a subnormal is, and NaN.
inline bool IsNonzero(Word word) {
  std::make_unsigned_t<Bits> bits;
  std::memcpy(&bits, &word, sizeof bits);
  return (std::is_floating_point_v<Word> ? bits << 1 : bits) != 0;
}

// How many of the first lanes are.
inline int Nonzeros(Vec vec, int lanes) {
#if defined(__AVX512F__)
  const __m512i sign = std::is_floating_point_v<Word>
                           ? (sizeof(Word) == 4 ? _mm512_set1_epi32(INT32_MAX) : _mm512_set1_epi64(INT64_MAX))
                           : _mm512_set1_epi32(-1);
  const uint32_t found = sizeof(Word) == 4 ? _mm512_test_epi32_mask((__m512i)vec, sign)
                                           : _mm512_test_epi64_mask((__m512i)vec, sign);
  return __builtin_popcount(found & ((1u << lanes) - 1));
#else
  int found = 0;
  for (int lane = 0; lane < lanes; ++lane) found += IsNonzero(vec[lane]);
  return found;
#endif
}

inline Vec Load(const Word* from, int lanes) {
  Vec vec{};
  if (lanes == kLanes) {
    std::memcpy(&vec, from, sizeof vec);
  } else {
    std::memcpy(&vec, from, lanes * sizeof(Word));
  }
  return vec;
}

inline void Store(Word* to, Vec vec, int lanes) {
  if (lanes == kLanes) {
    std::memcpy(to, &vec, sizeof vec);
  } else {
    std::memcpy(to, &vec, lanes * sizeof(Word));
  }
}

// As XLA computes: subnormal operands and results are zero.
class FlushedSubnormals {
 public:
#if defined(__SSE2__)
  FlushedSubnormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }
  ~FlushedSubnormals() { _mm_setcsr(before_); }

 private:
  unsigned before_;
#elif defined(__aarch64__)
  FlushedSubnormals() {
    asm volatile("mrs %0, fpcr" : "=r"(before_));
    asm volatile("msr fpcr, %0" : : "r"(before_ | (uint64_t{1} << 24)));
  }
  ~FlushedSubnormals() { asm volatile("msr fpcr, %0" : : "r"(before_)); }

 private:
  uint64_t before_;
#endif
};
