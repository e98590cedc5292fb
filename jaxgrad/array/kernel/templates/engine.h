// What both engines are made of. A wave is what enters PE (0, 0) in one cycle; it reaches PE (r, c) r + c cycles later.
// A PE's registers in a cycle follow from its own in the cycle before and from what its left and upper neighbours had
// then: from the same wave there, and from the wave before here. So PEs can be taken wave by wave, a wave row by row, and
// columns, to which h comes unchanged, side by side. Each PE still takes every one of its cycles, in their order.

struct Slot {
  int64_t width, start, offset, load, drain;
  const Word* operand;
  Word* result;
};

struct Setup {
  int64_t rows, cols, s, p, period, cycles, tiles_p, tiles_q, h_width, width;
  const Word* h;
  Slot slots[kSlots];

  Setup(const int64_t* numbers, const Word* h, std::initializer_list<const Word*> operands,
        std::initializer_list<Word*> results)
      : rows(numbers[0]), cols(numbers[1]), s(numbers[2]), p(numbers[3]), period(numbers[4]), cycles(numbers[5]), h(h) {
    int64_t widest = 0;
    for (int slot = 0; slot < kSlots; ++slot) {
      const int64_t* of = numbers + 6 + 5 * slot;
      slots[slot] = {of[0], of[1], of[2], of[3], of[4], operands.begin()[slot], results.begin()[slot]};
      widest = std::max(widest, of[0]);
    }
    tiles_p = (p + rows - 1) / rows;
    tiles_q = (widest + cols - 1) / cols;
    h_width = tiles_p * rows;  // of the padded operands
    width = tiles_q * cols;
  }
};

struct SlotEvents {
  uint64_t macs = 0, effectual_macs = 0, operand_reads = 0, operand_hops = 0, psum_reads = 0, psum_writes = 0,
           psum_hops = 0, result_writes = 0, acc_updates = 0;
};

struct Events {
  uint64_t cycles = 0, stream_reads = 0, stream_hops = 0;
  SlotEvents slots[kSlots];

  void Write(uint32_t* out) const {
    auto put = [&out](uint64_t count) {
      *out++ = count >> 32;
      *out++ = count;
    };
    for (uint64_t count : {cycles, stream_reads, stream_hops}) put(count);
    for (const SlotEvents& of : slots)
      for (uint64_t count : {of.macs, of.effectual_macs, of.operand_reads, of.operand_hops, of.psum_reads,
                             of.psum_writes, of.psum_hops, of.result_writes, of.acc_updates})
        put(count);
  }
};

template <int Begin, int End, class Body>
inline void Each(Body&& body) {
  if constexpr (Begin < End) {
    body(std::integral_constant<int, Begin>());
    Each<Begin + 1, End>(body);
  }
}

// Calls with an owner that is known as code is compiled.
template <class Body>
inline void WithOwner(int owner, Body&& body) {
  Each<0, kSlots>([&](auto slot) {
    if (slot == owner) body(slot);
  });
}

// Some columns of PEs, as many as a vector has lanes.
struct Strip {
  const Setup& setup;
  Events& events;
  int64_t first;  // of its columns in the array
  int lanes;      // that stand for columns
  std::vector<Pe> pes;

  Strip(const Setup& setup, Events& events, int64_t first)
      : setup(setup), events(events), first(first), lanes(std::min<int64_t>(kLanes, setup.cols - first)), pes(setup.rows) {}

  void Reset() { std::fill(pes.begin(), pes.end(), Pe{}); }

  int64_t At(int64_t tile_q) const { return tile_q * setup.cols + first; }
  int64_t RealRows(int64_t tile_p) const { return std::min(setup.rows, setup.p - tile_p * setup.rows); }
  int64_t RealCols(int slot, int64_t tile_q) const {
    return std::clamp<int64_t>(setup.slots[slot].width - At(tile_q), 0, lanes);
  }

  // What enters at the top in a wave that carries a streamed row, and what leaves at the bottom.
  Vec Top(int slot, int64_t row, int64_t tile_p, int64_t tile_q) const {
    const Slot& of = setup.slots[slot];
    if (kKeeps[slot] == kOperand && tile_p == 0) return Vec{};
    const Word* source = kKeeps[slot] == kOperand ? of.result : of.operand;
    return Load(source + row * setup.width + At(tile_q), lanes);
  }
  void Bottom(int slot, int64_t row, int64_t tile_q, Vec v) const {
    if (kKeeps[slot] == kOperand) Store(setup.slots[slot].result + row * setup.width + At(tile_q), v, lanes);
  }

  // Waves that carry a streamed row of a slot come in, one or some; each is counted as it does.
  void Count(int slot, uint64_t waves, int64_t tile_p, int64_t tile_q) {
    const uint64_t real_rows = RealRows(tile_p), real_cols = RealCols(slot, tile_q), rows = setup.rows;
    SlotEvents& of = events.slots[slot];
    of.macs += waves * real_rows * real_cols;
    if (kKeeps[slot] == kOperand) {
      of.psum_reads += tile_p > 0 ? waves * real_cols : 0;
      of.psum_writes += waves * real_cols;
      of.psum_hops += waves * real_cols * rows;
    } else {
      of.operand_reads += waves * real_cols;
      of.operand_hops += waves * real_cols * rows;
      of.acc_updates += waves * real_rows * real_cols;
    }
    if (setup.slots[slot].offset == 0) {
      events.stream_reads += first == 0 ? waves * real_rows : 0;
      events.stream_hops += waves * real_rows * lanes;
    }
  }

  // Waves that carry streamed rows, of slots in turn from Base on, and in which nothing else happens: row by row all of
  // them, so that a PE's registers are fetched and put back once. h is the first one's row of words.
  template <int Base, int Waves>
  void Stream(const Word* h, Vec (&v)[Waves], const int (&real)[kSlots]) {
    uint64_t useful[kSlots] = {};
    for (int64_t r = 0; r < setup.rows; ++r) {
      Pe& pe = pes[r];
      Each<0, Waves>([&](auto wave) {
        constexpr int owner = Base + wave % kStride;
        const Word word = h[wave / kStride * setup.h_width + r];
        const Vec multiplicand = Step<owner>(pe, Splat(word), v[wave], false, false);
        useful[owner] += IsNonzero(word) ? Nonzeros(multiplicand, real[owner]) : 0;
      });
    }
    for (int slot = 0; slot < kSlots; ++slot) events.slots[slot].effectual_macs += useful[slot];
  }

  // As many waves of a tile as there are from a streamed row on, in blocks; returns how many rows that were.
  template <int Base>
  int64_t StreamRows(int64_t row, int64_t count, int64_t tile_p, int64_t tile_q) {
    constexpr int block = (8 + kStride - 1) / kStride, waves = block * kStride;
    int real[kSlots];
    for (int slot = 0; slot < kSlots; ++slot) real[slot] = RealCols(slot, tile_q);
    int64_t done = 0;
    for (; done + block <= count; done += block) {
      const int64_t from = row + done;
      Vec v[waves];
      for (int wave = 0; wave < waves; ++wave)
        v[wave] = Top(Base + wave % kStride, from + wave / kStride, tile_p, tile_q);
      Stream<Base, waves>(setup.h + from * setup.h_width + tile_p * setup.rows, v, real);
      for (int wave = 0; wave < waves; ++wave)
        Bottom(Base + wave % kStride, from + wave / kStride, tile_q, v[wave]);
    }
    for (int slot = Base; slot < Base + kStride; ++slot) Count(slot, done, tile_p, tile_q);
    return done;
  }
};

// One wave, with all that may happen in it.
struct Wave {
  int64_t number;
  const Word* h = nullptr;  // its words, or zeros
  bool first = false, last = false;
  Vec v{};
  int real = 0;                // columns that stand for real elements
  int64_t cycles;              // of the run: what would be before or after it has not happened
  bool is_shifting = false;    // whether anything moves in the shift chains
  Vec tops[kSlots]{};          // what enters them
  int64_t load_until[kSlots];  // rows that shift as the operand is loaded
  int64_t drain_from[kSlots];  // rows that shift as the result is drained

  Wave(const Setup& setup, int64_t number, int64_t cycles) : number(number), cycles(cycles) {
    for (int slot = 0; slot < kSlots; ++slot) {
      load_until[slot] = 0;
      drain_from[slot] = setup.rows;
    }
  }
};

// The wave meets PE (r, c) in cycle number + r + c. IsCut: some of these are no cycles of the run. IsShifting: chains move.
template <int Owner, bool IsCut, bool IsShifting>
void Pass(Strip& strip, Wave& wave) {
  const int64_t rows = strip.setup.rows, since = wave.number + strip.first;
  const int64_t begin = IsCut ? std::max<int64_t>(0, -since - (kLanes - 1)) : 0;
  const int64_t end = IsCut ? std::min(rows, wave.cycles - since) : rows;
  const bool first = wave.first, last = wave.last;
  const int real = wave.real;
  Pe* const pes = strip.pes.data();
  Vec v = wave.v;
  Vec chains[kSlots];
  if constexpr (IsShifting) {
    Each<0, kSlots>([&](auto slot) { chains[slot] = begin ? Chain<slot>(pes[begin - 1]) : wave.tops[slot]; });
  }
  uint64_t useful = 0;
  for (int64_t r = begin; r < end; ++r) {
    Pe& pe = pes[r];
    [[maybe_unused]] const Pe before = pe;
    if constexpr (IsShifting) {
      Each<0, kSlots>([&](auto slot) {
        if (kKeeps[slot] == kResult && r >= wave.drain_from[slot]) Shift<slot>(pe, chains[slot]);
      });
    }
    const Word word = wave.h ? wave.h[r] : Word{};
    const Vec multiplicand = Step<Owner>(pe, Splat(word), v, first, last);
    useful += IsNonzero(word) ? Nonzeros(multiplicand, real) : 0;
    if constexpr (IsShifting) {
      Each<0, kSlots>([&](auto slot) {
        if (kKeeps[slot] == kOperand && r < wave.load_until[slot]) Shift<slot>(pe, chains[slot]);
      });
    }
    if constexpr (IsCut) {
      const Mask happens = Between(-since - r, wave.cycles - since - r);
      v = Select(happens, v, Vec{});
      pe = Select(happens, pe, before);
    }
    if constexpr (IsShifting) {
      Each<0, kSlots>([&](auto slot) { chains[slot] = Chain<slot>(pe); });
    }
  }
  wave.v = v;
  strip.events.slots[Owner].effectual_macs += useful;
}

inline void Pass(int owner, Strip& strip, Wave& wave) {
  const int64_t since = wave.number + strip.first;
  const bool is_cut = since < 0 || since + strip.setup.rows - 1 + kLanes - 1 >= wave.cycles;
  WithOwner(owner, [&](auto slot) {
    if (is_cut) {
      wave.is_shifting ? Pass<slot, true, true>(strip, wave) : Pass<slot, true, false>(strip, wave);
    } else {
      wave.is_shifting ? Pass<slot, false, true>(strip, wave) : Pass<slot, false, false>(strip, wave);
    }
  });
}
