// The safetensors format: named float32 tensors and a few strings in one file that PyTorch, NumPy
// and others read.
//
// Layout: header length (u64, little-endian), header (JSON), data. Source: [Safetensors].
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/view.h"
#include "nn/network.h"

namespace easgd::safetensors {

struct Tensor {
  std::string dtype;
  std::vector<std::int64_t> dims;
  std::vector<float> values;  ///< none where the dtype is not F32
};

struct File {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// Throws: DataError where the file is missing or damaged.
File read(const std::filesystem::path& path);

/// Writes the tensors of a state [P + S] under their names, beside the old file first and then over
/// it, so that a reader or a crash never meets half a file.
/// Throws: DataError.
void write(const std::filesystem::path& path, const Network& network, ConstView state,
           const std::map<std::string, std::string>& metadata);

/// Fills a state [P + S] from the tensors of `file` by name.
/// Throws: DataError where one is missing, is not float32 or has other dimensions; `path` is for
/// the message.
void load(const File& file, const std::filesystem::path& path, const Network& network, View state);

}  // namespace easgd::safetensors
