// AMX: sums of 16 x 16 products of pairs in bf16. The compiler has no functions for it that need no
// header of the processor's maker, so these are the instructions themselves.
#pragma once

#include <array>
#include <cstdint>

namespace easgd::kernels {

/// Whether this processor has AMX and conversions to bf16, and the system lets the program use
/// them: it is asked for that here, before all else of this file.
bool has_tiles();

/// What a convolution multiplies: numbers in float32, or rounded to bf16, by AMX, with sums in
/// float32.
enum class Factors { f32, bf16 };

struct TileShape {
  int rows, words;  ///< of 32 bits, a row; at most 16
};

/// The thread's eight tiles have these shapes as long as it lives.
class Tiles {
 public:
  explicit Tiles(const std::array<TileShape, 8>& shapes) {
    struct {
      std::uint8_t palette = 1, start = 0, unused[14] = {};
      std::uint16_t row_bytes[16] = {};
      std::uint8_t rows[16] = {};
    } all;
    static_assert(sizeof all == 64);
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      all.row_bytes[i] = std::uint16_t(shapes[i].words * 4);
      all.rows[i] = std::uint8_t(shapes[i].rows);
    }
    asm volatile("ldtilecfg %0" ::"m"(all));
  }
  ~Tiles() { asm volatile("tilerelease" ::); }
  Tiles(const Tiles&) = delete;
};

template <int kTile>
inline void clear_tile() {
  asm volatile("tilezero %%tmm%c0" ::"i"(kTile));
}
/// Rows lie `stride` bytes apart.
template <int kTile>
inline void load_tile(const std::int32_t* words, std::int64_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(words), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile>
inline void store_tile(float* sums, std::int64_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(sums), "r"(stride), "i"(kTile) : "memory");
}
/// sum[i][j] += the products of the pairs a[i][d] and b[d][j], over all d.
template <int kSum, int kA, int kB>
inline void add_products() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSum), "i"(kA), "i"(kB));
}

}  // namespace easgd::kernels
