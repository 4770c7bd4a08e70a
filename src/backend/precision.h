// What values of a network are stored and multiplied as: workers.precision.
#pragma once

#include <string>
#include <vector>

namespace easgd {

enum class Precision {
  f32,   ///< float32
  tf32,  ///< float32, of which products take the first 10 bits after the point
  bf16,  ///< bfloat16, added up in float32
};

/// The precision of this name, for a device that has some of them.
/// Throws: KeyError naming those, if it has not this one.
Precision parse_precision(const std::string& name, const std::string& device,
                          const std::vector<Precision>& known);

}  // namespace easgd
