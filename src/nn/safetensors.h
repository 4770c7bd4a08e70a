// The safetensors format: named tensors and a few strings in one file that PyTorch, NumPy and
// others read. Written as float32; read from float32, half precision, bfloat16 and double.
//
// Layout: header length (u64, little-endian), header (JSON), data. Source: [Safetensors].
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "base/view.h"
#include "nn/network.h"

namespace easgd::safetensors {

struct Tensor {
  std::string dtype;
  std::vector<std::int64_t> dims;
  std::vector<float> values;             ///< none if the dtype is not F32, F16, BF16 or F64
  std::optional<double> too_large = {};  ///< of F64: the first number that no float32 can hold
};

struct File {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// Throws: DataError if the file is missing, damaged, or not as the format has it.
File read(const std::filesystem::path& path);

/// Writes the tensors of a state [P + S] under their names.
void write(std::ostream& stream, const Network& network, ConstView state,
           const std::map<std::string, std::string>& metadata);

/// Fills a state [P + S] from the tensors of `file` by name; PyTorch's wrappers may have put
/// "module." or "_orig_mod." before all names.
/// Throws: DataError if one is missing, has other dimensions, another type, or numbers beyond
/// float32, and if the network leaves one over that is no `num_batches_tracked`: in one line the
/// first that does not fit, and how many more; `path` is for it.
void load(const File& file, const std::filesystem::path& path, const Network& network, View state);

/// Says which tensors of a state hold how many values that are not finite; empty if none does.
std::string not_finite(const Network& network, ConstView state);

}  // namespace easgd::safetensors
