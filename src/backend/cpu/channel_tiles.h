// An activation as tiles in which every lane has its channel.
#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "backend/cpu/layout.h"

namespace easgd::cpu {

/// `rows` of up to 16 values that lie side by side, `stride` values apart. All values are of one
/// channel, or lane j is of channel `channel` + j.
struct ChannelTile {
  static constexpr std::size_t kWidth = 16;

  std::size_t offset, rows, stride, width;
  std::size_t channel;
  bool is_of_one_channel;
};

/// Short enough for the second-level cache and for sums in float.
constexpr std::size_t kTileRows = 256;

/// Calls f(tile) for all values of an activation of so many channels, those of a channel in a fixed
/// order.
template <class Function>
void for_channel_tiles(const Planes& p, std::size_t channels, const Function& f) {
  constexpr std::size_t kWidth = ChannelTile::kWidth;
  const std::size_t pixels = std::size_t(p.height) * std::size_t(p.width);
  const bool samples_in_lanes = p.layout == memory::format_tag::chwn;
  const std::size_t run = pixels * p.lanes;
  if (p.lanes == 1 || samples_in_lanes) {
    for (std::size_t plane = 0; plane < p.planes; ++plane) {
      for (std::size_t i = 0; i < run;) {
        const std::size_t rows = std::min(kTileRows, (run - i) / kWidth);
        const ChannelTile tile = {plane * run + i,  std::max<std::size_t>(rows, 1),
                                  kWidth,           rows > 0 ? kWidth : run - i,
                                  plane % channels, true};
        f(tile);
        i += tile.rows * tile.width;
      }
    }
    return;
  }
  const std::size_t blocks = (channels + p.lanes - 1) / p.lanes;
  for (std::size_t plane = 0; plane < p.planes; ++plane) {
    for (std::size_t lane = 0; lane < p.lanes; lane += kWidth) {
      for (std::size_t row = 0; row < pixels; row += kTileRows) {
        f(ChannelTile{plane * run + row * p.lanes + lane, std::min(kTileRows, pixels - row),
                      p.lanes, std::min(kWidth, p.lanes - lane), plane % blocks * p.lanes + lane,
                      false});
      }
    }
  }
}

/// Calls f(width), as a constant where it is one of those that matter.
template <class Function>
void with_width(std::size_t width, const Function& f) {
  if (width == 16) return f(std::integral_constant<std::size_t, 16>{});
  if (width == 8) return f(std::integral_constant<std::size_t, 8>{});
  f(width);
}

}  // namespace easgd::cpu
