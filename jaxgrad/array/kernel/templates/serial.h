// One tile after another: load, stream, drain.

// The operand shifts in from the top, its last row first, in every PE of the strip.
template <int Which>
void LoadTile(Strip& strip, int64_t tile_p, int64_t tile_q) {
  const Setup& setup = strip.setup;
  for (int64_t row = setup.rows - 1; row >= 0; --row) {
    for (int64_t r = setup.rows - 1; r > 0; --r) Shift<Which>(strip.pes[r], Chain<Which>(strip.pes[r - 1]));
    const int64_t source = tile_p * setup.rows + row;
    const Word* words = setup.slots[Which].operand + source * setup.width + strip.At(tile_q);
    Shift<Which>(strip.pes[0], Load(words, strip.lanes));
    strip.events.slots[Which].operand_reads += source < setup.p ? strip.RealCols(Which, tile_q) : 0;
  }
}

// The result shifts out at the bottom, its last row first; the zeros that follow clear the registers.
template <int Which>
void DrainTile(Strip& strip, int64_t tile_p, int64_t tile_q) {
  const Setup& setup = strip.setup;
  for (int64_t row = setup.rows - 1; row >= 0; --row) {
    const int64_t target = tile_p * setup.rows + row;
    Store(setup.slots[Which].result + target * setup.width + strip.At(tile_q), Chain<Which>(strip.pes.back()),
          strip.lanes);
    for (int64_t r = setup.rows - 1; r > 0; --r) Shift<Which>(strip.pes[r], Chain<Which>(strip.pes[r - 1]));
    Shift<Which>(strip.pes[0], Vec{});
    strip.events.slots[Which].result_writes += target < setup.p ? strip.RealCols(Which, tile_q) : 0;
  }
}

void StreamTile(Strip& strip, int64_t tile_p, int64_t tile_q) {
  const Setup& setup = strip.setup;
  const int64_t carried = kSlots * setup.s, cycles = carried + setup.rows + setup.cols - 2;
  const int64_t first = -(setup.rows - 1) - (strip.first + kLanes - 1), last = cycles - 1 - strip.first;
  for (int64_t number = first; number <= last; ++number) {
    if (number == 0) number += kSlots * strip.StreamRows<0>(0, setup.s, tile_p, tile_q);
    if (number > last) break;
    const int owner = ((number % kSlots) + kSlots) % kSlots;
    Wave wave(setup, number, cycles);
    const bool is_busy = number >= 0 && number < carried;
    const int64_t row = number / kSlots;
    if (is_busy) {
      wave.h = setup.h + row * setup.h_width + tile_p * setup.rows;
      wave.v = strip.Top(owner, row, tile_p, tile_q);
      wave.real = strip.RealCols(owner, tile_q);
      strip.Count(owner, 1, tile_p, tile_q);
    }
    Pass(owner, strip, wave);
    if (is_busy) strip.Bottom(owner, row, tile_q, wave.v);
  }
  if (strip.first == 0) strip.events.cycles += cycles;
}

void Engine(const Setup& setup, Events& events) {
  for (int64_t first = 0; first < setup.cols; first += kLanes) {
    Strip strip(setup, events, first);
    for (int64_t tile_q = 0; tile_q < setup.tiles_q; ++tile_q)
      for (int64_t tile_p = 0; tile_p < setup.tiles_p; ++tile_p) {
        strip.Reset();
        Each<0, kSlots>([&](auto slot) {
          if constexpr (kKeeps[slot] == kOperand) LoadTile<slot>(strip, tile_p, tile_q);
        });
        StreamTile(strip, tile_p, tile_q);
        Each<0, kSlots>([&](auto slot) {
          if constexpr (kKeeps[slot] == kResult) DrainTile<slot>(strip, tile_p, tile_q);
        });
        if (first == 0) events.cycles += kSlots * setup.rows;
      }
  }
}
