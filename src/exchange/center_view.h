// The center at one version, for those who want to copy it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "backend/backend.h"
#include "base/view.h"

namespace easgd {

struct CenterView {
  ConstView center = {};       ///< [P] as it is evaluated, in the memory of `backend`
  Backend* backend = nullptr;  ///< null: in host memory
  ConstView statistics = {};   ///< [S] in host memory
  std::uint64_t version = 0;   ///< letters absorbed
  std::span<const std::uint64_t> steps = {};  ///< of each worker, when its last letter was posted
  Tally train = {};                    ///< training loss of the letters since a view was taken
  std::optional<double> seconds = {};  ///< virtual time, if the order keeps one

  /// state [P + S] in host memory
  void copy_to(View state) const;
};

}  // namespace easgd
