// An activation as tiles in which every lane has its channel.
#pragma once

#include <algorithm>
#include <cstddef>

#include "backend/cpu/layout.h"
#include "backend/cpu/vector8.h"

namespace easgd::cpu {

/// Rows of values, `stride` apart, of as many lanes as the Width that comes with it: of one channel
/// all of them, or lane j of channel `channel` + j.
struct ChannelTile {
  std::size_t offset, rows, stride;
  std::size_t channel;
  bool is_of_one_channel;
};

/// Short enough for sums in float, and to be in the first-level cache for the other half of lines.
constexpr std::size_t kTileRows = 128;

/// Calls f(Eight or One, tile) for tiles that hold each value of an activation once, those of a
/// channel in a fixed order.
template <class Function>
void for_channel_tiles(const Planes& p, std::size_t channels, const Function& f) {
  const std::size_t pixels = std::size_t(p.height) * std::size_t(p.width), size = pixels * p.lanes;
  if (p.lanes == 1 || p.layout == memory::format_tag::chwn) {
    for (std::size_t plane = 0; plane < p.planes; ++plane) {
      const std::size_t first = plane * size, channel = plane % channels;
      std::size_t i = 0;
      for (std::size_t rows; (rows = std::min(kTileRows, (size - i) / 8)) > 0; i += 8 * rows) {
        f(Eight{}, ChannelTile{first + i, rows, 8, channel, true});
      }
      if (i < size) f(One{}, ChannelTile{first + i, size - i, 1, channel, true});
    }
    return;
  }
  const std::size_t blocks = (channels + p.lanes - 1) / p.lanes;
  for (std::size_t plane = 0; plane < p.planes; ++plane) {
    for_lanes(p.lanes, [&](auto width, std::size_t lane) {
      for (std::size_t row = 0; row < pixels; row += kTileRows) {
        f(width, ChannelTile{plane * size + row * p.lanes + lane, std::min(kTileRows, pixels - row),
                             p.lanes, plane % blocks * p.lanes + lane, false});
      }
    });
  }
}

}  // namespace easgd::cpu
