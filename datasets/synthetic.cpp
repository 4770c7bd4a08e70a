// A data set that needs no files: pictures of ten shapes, drawn from a seed.
//
// A picture is 3x32x32: a shaded and mottled background, strokes that mean nothing, and one shape
// of random size, position, turn, stretch, colour and contrast; a little noise over all. The class
// is the shape alone. It lies in every 28x28 part of the picture, and its mirror image is of the
// same class, so that crops and flips keep it. Integers and Philox only: the same bits everywhere.
#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tbb/parallel_for.h>

#include "data/dataset_reader.h"
#include "data/permutation.h"
#include "datasets/shapes.h"
#include "kernels/philox.h"

namespace easgd {
namespace {

constexpr int kSide = 32;
constexpr Shape kShape{3, kSide, kSide};
constexpr std::size_t kTest = 4000;

/// The random numbers of one picture, one after another.
class Draws {
 public:
  Draws(std::uint64_t seed, std::uint32_t half, std::size_t picture)
      : random_{seed, kernels::Stream::synthetic_data, half}, picture_(picture) {}

  std::uint32_t word() {
    if (used_ == 4) {
      four_ = random_.at(picture_, index_++);
      used_ = 0;
    }
    return four_.value[used_++];
  }
  /// low..high, both included.
  int between(int low, int high) {
    return low + static_cast<int>((std::uint64_t{word()} * std::uint64_t(high - low + 1)) >> 32);
  }
  bool chance(int percent) { return between(1, 100) <= percent; }

 private:
  kernels::Random random_;
  std::size_t picture_;
  std::uint32_t index_ = 0;
  int used_ = 4;
  kernels::Random4 four_{};
};

using Colour = std::array<int, 3>;

Colour near(const Colour& base, int spread, Draws& draws) {
  Colour colour;
  for (int c = 0; c < 3; ++c) colour[c] = base[c] + draws.between(-spread, spread);
  return colour;
}

/// A picture in the making: levels may leave 0..255 until it is stored.
struct Canvas {
  std::array<std::array<std::array<int, kSide>, kSide>, 3> level{};

  /// `cover` of 16 parts of a pixel are painted over.
  void blend(int x, int y, const Colour& colour, int cover) {
    for (int c = 0; c < 3; ++c) level[c][y][x] += (colour[c] - level[c][y][x]) * cover / 16;
  }
};

/// Adds a lattice of random colours, kCells a side, with straight lines between them.
template <int kCells>
void add_mottle(Canvas& canvas, const Colour& base, int spread, Draws& draws) {
  constexpr int kCell = kSide / kCells;
  std::array<std::array<Colour, kCells + 1>, kCells + 1> lattice;
  for (auto& row : lattice)
    for (Colour& colour : row) colour = near(base, spread, draws);
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < kSide; ++y) {
      const int i = y / kCell, down = y % kCell;
      for (int j = 0; j < kCells; ++j) {
        const int left = lattice[i][j][c] * (kCell - down) + lattice[i + 1][j][c] * down;
        const int right = lattice[i][j + 1][c] * (kCell - down) + lattice[i + 1][j + 1][c] * down;
        for (int k = 0; k < kCell; ++k)
          canvas.level[c][y][j * kCell + k] += (left * (kCell - k) + right * k) / (kCell * kCell);
      }
    }
}

/// Where a shape lies: the map from eighths of a pixel to the shape's own frame.
struct Placement {
  int x, y;            ///< center, in eighths of a pixel
  int reach;           ///< pixels beyond which nothing is painted
  int uu, uv, vu, vv;  ///< frame = (matrix * offset) / 2^14
};

Placement make_placement(int x, int y, int radius_u, int radius_v, Draws& draws) {
  constexpr int kOne = 1 << 16;
  // Tangent of half the angle, which is at most 45 degrees to either side.
  const std::int64_t t = draws.between(-27146, 27146);
  const std::int64_t t2 = (t * t) >> 16;
  const int cosine = static_cast<int>((kOne - t2) * (1 << 14) / (kOne + t2));
  const int sine = static_cast<int>(2 * t * (1 << 14) / (kOne + t2));
  return {x,
          y,
          std::max(radius_u, radius_v) / 8 + 2,
          cosine * 1024 / radius_u,
          sine * 1024 / radius_u,
          -sine * 1024 / radius_v,
          cosine * 1024 / radius_v};
}

/// Whether the shape has that one of the 4x4 samples of pixel (x, y).
template <shapes::Inside kInside>
int covers(const Placement& at, int x, int y, int column, int row) {
  const int dx = 8 * x + 2 * column + 1 - at.x, dy = 8 * y + 2 * row + 1 - at.y;
  return kInside({(at.uu * dx + at.uv * dy) >> 14, (at.vu * dx + at.vv * dy) >> 14});
}

/// How many samples of pixel (x, y) the shape covers, `corners` of them outermost.
template <shapes::Inside kInside>
int cover(const Placement& at, int x, int y, int corners) {
  int count = corners;
  for (int row = 0; row < 4; ++row)
    for (int column = 0; column < 4; ++column)
      if (row % 3 || column % 3) count += covers<kInside>(at, x, y, column, row);
  return count;
}

/// Stripes run at 45 degrees, `period` pixels wide; 0: none.
struct Paint {
  Colour colour;
  Colour stripe;
  int period;
};

template <shapes::Inside kInside>
void paint(Canvas& canvas, const Placement& at, const Paint& with) {
  const int column = at.x / 8, row = at.y / 8;
  const int left = std::max(0, column - at.reach), right = std::min(kSide, column + at.reach + 1);
  for (int y = std::max(0, row - at.reach); y < std::min(kSide, row + at.reach + 1); ++y) {
    std::array<int, kSide> corners;
    for (int x = left; x < right; ++x) {  // without branches: pixels side by side
      corners[x] = covers<kInside>(at, x, y, 0, 0) + covers<kInside>(at, x, y, 3, 0) +
                   covers<kInside>(at, x, y, 0, 3) + covers<kInside>(at, x, y, 3, 3);
    }
    for (int x = left; x < right; ++x) {
      if (corners[x] == 0) continue;  // if the outermost four agree, all do
      const int covered = corners[x] == 4 ? 16 : cover<kInside>(at, x, y, corners[x]);
      const bool striped = with.period && (x + y) / with.period % 2;
      canvas.blend(x, y, striped ? with.stripe : with.colour, covered);
    }
  }
}

/// One for each shape: what asks a shape thousands of times a picture is compiled with it.
template <std::size_t... kIndex>
constexpr auto painters(std::index_sequence<kIndex...>) {
  return std::array{paint<shapes::kAll[kIndex]>...};
}
constexpr auto kPaint = painters(std::make_index_sequence<shapes::kAll.size()>());

void scribble(Canvas& canvas, const Colour& base, Draws& draws) {
  const int contrast = draws.between(30, 90) * (draws.chance(50) ? 1 : -1);
  Colour colour = near(base, 30, draws);
  for (int& c : colour) c += contrast;
  const int length = draws.between(16, 48), width = draws.between(7, 12);
  const int x = draws.between(0, 8 * kSide), y = draws.between(0, 8 * kSide);
  paint<shapes::disc>(canvas, make_placement(x, y, length, width, draws), {colour, colour, 0});
}

void draw_object(Canvas& canvas, int label, const Colour& base, Draws& draws) {
  const int radius = draws.between(58, 84);
  const int radius_u = radius * draws.between(85, 100) / 100;
  const int radius_v = radius * draws.between(85, 100) / 100;
  // Inside pixels 4..28 of both axes, which every 28x28 part has.
  const int room = std::min(32, 12 * 8 - radius);
  const int x = 16 * 8 + draws.between(-room, room), y = 16 * 8 + draws.between(-room, room);
  const int contrast = draws.between(35, 110) * (draws.chance(80) ? 1 : -1);
  Colour colour = near(base, 35, draws);
  for (int& c : colour) c += contrast;
  const Colour stripe = near(colour, 25, draws);
  const Placement at = make_placement(x, y, radius_u, radius_v, draws);
  kPaint[label](canvas, at, {colour, stripe, draws.between(0, 4)});
}

void store(const Canvas& canvas, int noise, Draws& draws, std::uint8_t* to) {
  std::array<std::uint8_t, 3 * kSide * kSide> random;
  for (std::size_t i = 0; i < random.size(); i += 4) {
    const std::uint32_t word = draws.word();
    for (int b = 0; b < 4; ++b) random[i + b] = static_cast<std::uint8_t>(word >> (8 * b));
  }
  const std::uint8_t* from = random.data();
  for (const auto& plane : canvas.level)
    for (const auto& row : plane)
      for (const int level : row)
        *to++ =
            static_cast<std::uint8_t>(std::clamp(level + (*from++ - 128) * noise / 128, 0, 255));
}

void draw_picture(int label, Draws draws, std::uint8_t* to) {
  Canvas canvas;
  const Colour base{draws.between(60, 180), draws.between(60, 180), draws.between(60, 180)};
  add_mottle<1>(canvas, base, 40, draws);
  add_mottle<8>(canvas, {0, 0, 0}, draws.between(5, 40), draws);
  for (int n = draws.between(1, 4); n > 0; --n) scribble(canvas, base, draws);
  draw_object(canvas, label, base, draws);
  for (int n = draws.between(0, 1); n > 0; --n) scribble(canvas, base, draws);
  store(canvas, draws.between(5, 40), draws, to);
}

struct Half {
  std::uint32_t number;
  std::size_t pictures;
  std::size_t limit;  ///< of those that are drawn; 0 is none
};

class Synthetic final : public DatasetReader {
 public:
  std::string name() const override { return "synthetic"; }

  void fields(config::Fields& f) override {
    f.integer("samples", samples_, {1, 1e6}, "training pictures that are drawn");
    f.integer("classes", classes_, {2, double(shapes::kAll.size())},
              "draw the first n of the ten shapes");
  }

  std::optional<DatasetFacts> facts() const override { return DatasetFacts{kShape, int(classes_)}; }

  DataSplit read(const DatasetOptions& options) const override {
    return {draw({0, std::size_t(samples_), options.training_limit}, options.seed),
            draw({1, kTest, options.test_limit}, options.seed), "built in"};
  }

 private:
  /// Every class equally often, but for one picture, in shuffled order.
  std::unique_ptr<Dataset> draw(Half half, std::uint64_t seed) const {
    const std::size_t drawn = half.limit == 0 ? half.pictures : std::min(half.limit, half.pictures);
    std::vector<std::uint8_t> pixels(drawn * kShape.size());
    std::vector<std::int32_t> labels(drawn);
    const Permutation order(half.pictures,
                            {seed, kernels::Stream::synthetic_data, half.number + 2});
    tbb::parallel_for(std::size_t{0}, drawn, [&](std::size_t i) {
      labels[i] = std::int32_t(order(i) % std::uint64_t(classes_));
      draw_picture(labels[i], Draws(seed, half.number, i), pixels.data() + i * kShape.size());
    });
    return std::make_unique<ImageTable>(kShape, int(classes_), std::move(pixels),
                                        std::move(labels));
  }

  std::int64_t samples_ = 20000;
  std::int64_t classes_ = shapes::kAll.size();
};

const RegisteredDataset kRegistered([] { return std::make_unique<Synthetic>(); });

}  // namespace
}  // namespace easgd
