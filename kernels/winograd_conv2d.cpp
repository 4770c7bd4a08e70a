#include "kernels/winograd_conv2d.h"

#include <algorithm>

#include "kernels/processor.h"
#include "kernels/winograd_variants.h"

namespace easgd::kernels {
namespace {

constexpr int kTile = 4, kKernel = 3;
constexpr int kUnit = 16;  // channels: every variant's

}  // namespace

// Here and not in the variants: no other part of the program is to meet what they compile.
WinogradWeights::WinogradWeights(std::size_t floats)
    : buffer_(host_buffer(floats)), floats_(buffer_.data()) {}
WinogradWeights::~WinogradWeights() = default;

float* winograd_scratch(std::size_t floats) {
  thread_local Buffer buffer;
  if (buffer.size() < floats) buffer = host_buffer(floats);
  return buffer.data();
}

/// Where every other output is wanted, without zeros around it an input may have rows that no tile
/// touches.
bool WinogradConv2d::fits(const Conv2dShape& s) {
  return s.kernel_height == kKernel && s.kernel_width == kKernel && s.pad < kKernel &&
         (s.stride == 1 || (s.stride == 2 && s.pad > 0)) && s.in_channels % kUnit == 0 &&
         s.out_channels % kUnit == 0 &&
         std::min({s.batch, s.in_channels, s.out_channels, s.out_height(), s.out_width()}) > 0;
}

double WinogradConv2d::products(const Conv2dShape& s) {
  const int rows = (s.out_height() + kTile - 1) / kTile;
  const int columns = (s.out_width() + kTile - 1) / kTile;
  const int points = s.stride == 1 ? 6 : 9;  // kPoints of kernels/winograd_schemes.h
  return 1.0 * points * points * rows * columns * s.in_channels * s.out_channels;
}

std::span<const WinogradKernels> winograd_kernels() {
  static const auto all = usable_variants(winograd_of_16_lanes(), winograd_of_8_lanes());
  return all;
}

}  // namespace easgd::kernels
