// Tiles overlapping in the array through shadow registers, each column a cycle after its left neighbour.

// Where a wave is in a train of tiles, each a period after the one before; `until` is how many waves go by before another
// tile begins to use the first `busy` ones of its period.
struct Phase {
  int64_t tile, age, until;
  bool is_active;
};

inline Phase PhaseOf(const Setup& setup, int64_t since, int64_t busy) {
  constexpr int64_t never = std::numeric_limits<int64_t>::max();
  const int64_t tiles = setup.tiles_p * setup.tiles_q;
  if (since < 0) return {0, 0, -since, false};
  const int64_t tile = since / setup.period, age = since % setup.period;
  if (tile >= tiles) return {0, 0, never, false};
  if (age < busy) return {tile, age, 0, true};
  return {tile, age, tile + 1 < tiles ? setup.period - age : never, false};
}

struct Place {
  int64_t tile_p, tile_q;
  Place(const Setup& setup, int64_t tile) : tile_p(tile % setup.tiles_p), tile_q(tile / setup.tiles_p) {}
};

// What the wave does with the shift chain of a slot; returns how many waves do nothing with it from this one on.
template <int Which>
int64_t Shifting(Strip& strip, Wave& wave) {
  const Setup& setup = strip.setup;
  const Slot& of = setup.slots[Which];
  const Phase phase = PhaseOf(setup, wave.number - (kKeeps[Which] == kOperand ? of.load : of.drain), setup.rows);
  if (!phase.is_active) return phase.until;
  wave.is_shifting = true;
  const Place tile(setup, phase.tile);
  const int64_t word_row = tile.tile_p * setup.rows + setup.rows - 1 - phase.age;
  const uint64_t real = word_row < setup.p ? strip.RealCols(Which, tile.tile_q) : 0;
  if (kKeeps[Which] == kOperand) {
    wave.load_until[Which] = setup.rows - phase.age;
    wave.tops[Which] = Load(of.operand + word_row * setup.width + strip.At(tile.tile_q), strip.lanes);
    strip.events.slots[Which].operand_reads += real;
  } else {
    // In the last of these cycles the word that came from the top row leaves, and nothing follows it.
    wave.drain_from[Which] = phase.age < setup.rows - 1 ? setup.rows - 1 - phase.age : setup.rows;
    Store(of.result + word_row * setup.width + strip.At(tile.tile_q), Chain<Which>(strip.pes.back()), strip.lanes);
    strip.events.slots[Which].result_writes += real;
  }
  return 0;
}

void Engine(const Setup& setup, Events& events) {
  for (int64_t first = 0; first < setup.cols; first += kLanes) {
    Strip strip(setup, events, first);
    const int64_t last = setup.cycles - 1 - first;
    for (int64_t number = -(setup.rows - 1) - (first + kLanes - 1); number <= last; ++number) {
      Wave wave(setup, number, setup.cycles);
      int64_t quiet = std::numeric_limits<int64_t>::max();
      Each<0, kSlots>([&](auto slot) { quiet = std::min(quiet, Shifting<slot>(strip, wave)); });
      int owner = 0;
      int64_t row = -1;
      Phase phase{};
      for (int slot = 0; slot < kSlots; ++slot) {
        const Phase found = PhaseOf(setup, number - setup.slots[slot].start, kStride * setup.s);
        if (found.is_active && found.age % kStride == setup.slots[slot].offset) {
          owner = slot;
          phase = found;
          row = found.age / kStride;
        }
      }
      const Place tile(setup, phase.tile);
      if (row > 0 && setup.slots[owner].offset == 0) {
        const int64_t plain = std::min(setup.s - 1 - row, quiet / kStride);
        int64_t done = 0;
        if constexpr (kStride == 1) {
          WithOwner(owner, [&](auto slot) { done = strip.StreamRows<slot>(row, plain, tile.tile_p, tile.tile_q); });
        } else {
          done = strip.StreamRows<0>(row, plain, tile.tile_p, tile.tile_q);
        }
        if (done) {
          number += kStride * done - 1;
          continue;
        }
      }
      if (row >= 0) {
        wave.h = setup.h + row * setup.h_width + tile.tile_p * setup.rows;
        wave.first = row == 0;
        wave.last = row == setup.s - 1;
        wave.v = strip.Top(owner, row, tile.tile_p, tile.tile_q);
        wave.real = strip.RealCols(owner, tile.tile_q);
        strip.Count(owner, 1, tile.tile_p, tile.tile_q);
      }
      Pass(owner, strip, wave);
      if (row >= 0) strip.Bottom(owner, row, tile.tile_q, wave.v);
    }
  }
  events.cycles = setup.cycles;
}
