#include "pictures/decode.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/resample.h"
#include "pictures/picture_reader.h"

namespace easgd {
namespace {

/// The last lines of a picture: a filter looks at several at once.
class Lines {
 public:
  Lines(PictureReader& reader, int kept, int columns)
      : reader_(reader), size_(3 * std::size_t(columns)), kept_(std::size_t(kept)) {
    memory_.resize(std::max(memory_.size(), size_ * kept_));
  }

  const std::uint8_t* next(int line) {
    if (kept_ == 1) return reader_.line();
    std::uint8_t* to = memory_.data() + std::size_t(line) % kept_ * size_;
    std::memcpy(to, reader_.line(), size_);
    return to;
  }

 private:
  PictureReader& reader_;
  std::size_t size_, kept_;
  static thread_local Scratch memory_;
};

thread_local Scratch Lines::memory_;

/// Gives back what a picture takes when it has been decoded, or cannot be.
struct Closing {
  ~Closing() { reader.close(); }
  PictureReader& reader;
};

void decode_stored(PictureReader& reader, const Cut& cut, std::uint8_t* to) {
  // What a reduced picture keeps of fine detail is not what the filter would. At twice the size
  // that is wanted, photographs are less than a level off on average, single pixels up to 9 levels.
  constexpr int kSpare = 2;
  const int reduction = reader.reduction(
      std::min(cut.region.height / (kSpare * cut.height), cut.region.width / (kSpare * cut.width)));
  const auto reduced = [reduction](int pixels) { return double(pixels) / reduction; };
  const kernels::ResampledAxis rows(
      {reduced(cut.region.top), reduced(cut.region.height), cut.height}, cut.part.top,
      cut.part.height);
  const kernels::ResampledAxis columns(
      {reduced(cut.region.left), reduced(cut.region.width), cut.width}, cut.part.left,
      cut.part.width);
  reader.begin(reduction, {rows.begin(), rows.end()}, {columns.begin(), columns.end()});
  Lines lines(reader, rows.taps(), columns.end() - columns.begin());
  kernels::resample_pixels(
      rows, columns, [&lines](int line) { return lines.next(line); }, to);
}

}  // namespace

Image decode(std::span<const std::uint8_t> picture, const ChooseCut& choose, Scratch& scratch) {
  PictureReader& reader = open_picture(picture);
  const Closing closing{reader};
  const Orientation orientation = reader.orientation();
  const Cut shown = choose(orientation.shown(reader.shape()));
  const Cut stored = orientation.stored(shown, reader.shape());
  const Shape part{3, stored.part.height, stored.part.width};
  const std::size_t size = part.size();
  scratch.resize(std::max(scratch.size(), orientation.turns() ? 2 * size : size));
  decode_stored(reader, stored, scratch.data());
  std::uint8_t* pixels = scratch.data();
  if (orientation.turns()) {
    orientation.turn(part, pixels, pixels + size);
    pixels += size;
  }
  return {orientation.shown(part), {pixels, size}};
}

}  // namespace easgd
