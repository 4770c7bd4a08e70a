// Images of 8-bit pixels, shrunk or enlarged: bilinear, and where they shrink, each new pixel takes
// in all old ones that it covers (antialiasing).
//
//   new(i) = sum_j w(j - center(i)) old(j) / sum_j w(j - center(i)),
//   w(d) = max(0, 1 - |d| / reach),  reach = max(1, old length / new length)
//
// first down each column, then along each line. Sums are rounded once, at the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace easgd::kernels {

/// Which old pixels of one axis become which new ones, and with what weights.
/// Thread: immutable.
class ResampledAxis {
 public:
  /// A stretch of old pixels that becomes `count` new ones. Pixels beyond it have no weight.
  struct Stretch {
    double begin = 0, length = 1;
    int count = 1;
  };

  /// The new pixels [first, first + wanted), with first + wanted <= count.
  ResampledAxis(const Stretch& stretch, int first, int wanted);

  int size() const { return int(starts_.size()); }
  /// The old pixels that have a weight: [begin(), end()).
  int begin() const { return begin_; }
  int end() const { return end_; }
  /// How many neighbours every new pixel takes in, some of them with weight 0.
  int taps() const { return taps_; }
  /// The first of them, counted from begin(); all are old pixels that have a weight.
  int start(int i) const { return starts_[std::size_t(i)]; }
  std::span<const float> weights(int i) const {
    return std::span(weights_).subspan(std::size_t(i) * std::size_t(taps_), std::size_t(taps_));
  }

 private:
  int begin_ = 0, end_ = 0, taps_ = 0;
  std::vector<int> starts_;
  std::vector<float> weights_;  // [size][taps]
};

/// A line of old pixels, from columns.begin() on. It is asked for each line from rows.begin()
/// to below rows.end() once, from the top; the last rows.taps() of its answers have to stay valid.
using NextLine = std::function<const std::uint8_t*(int line)>;

/// Pixels of one byte; `to` is [rows.size()][columns.size()].
void resample_plane(const ResampledAxis& rows, const ResampledAxis& columns, const NextLine& line,
                    std::uint8_t* to);

/// Pixels of three bytes, one for each channel; `to` is [3][rows.size()][columns.size()].
void resample_pixels(const ResampledAxis& rows, const ResampledAxis& columns, const NextLine& line,
                     std::uint8_t* to);

}  // namespace easgd::kernels
