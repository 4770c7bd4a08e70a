#pragma once

#include <cstdint>
#include <optional>

#include "data/dataset.h"

namespace easgd {

/// A hash of all pixels and labels of both halves; nothing unless all of them are in memory. Some
/// 10 GB/s.
std::optional<std::uint64_t> content_of(const DataSplit& split);

}  // namespace easgd
