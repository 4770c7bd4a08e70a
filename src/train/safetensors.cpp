#include "train/safetensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/write_file.h"

namespace easgd::safetensors {
namespace {

using nlohmann::json;

std::string shown(const std::vector<std::int64_t>& dims) {
  return fmt::format("{}", fmt::join(dims, "x"));
}

Tensor read_tensor(const json& entry, const std::vector<char>& data) {
  Tensor tensor{
      entry.at("dtype").get<std::string>(), entry.at("shape").get<std::vector<std::int64_t>>(), {}};
  if (tensor.dtype != "F32") return tensor;
  const auto begin = entry.at("data_offsets").at(0).get<std::uint64_t>();
  const auto end = entry.at("data_offsets").at(1).get<std::uint64_t>();
  std::uint64_t count = 1;
  for (const std::int64_t dim : tensor.dims) {
    const bool fits = dim == 0 || (dim > 0 && count <= data.size() / std::uint64_t(dim));
    count = fits ? count * std::uint64_t(dim) : data.size();  // too many: four bytes each
  }
  if (end > data.size()) {
    throw DataError(fmt::format("the file is cut short: expected {} bytes of data, found {}", end,
                                data.size()));
  }
  if (begin > end || end - begin != count * sizeof(float)) {
    throw DataError(
        fmt::format("bytes {}..{} do not hold a tensor of {}", begin, end, shown(tensor.dims)));
  }
  tensor.values.resize(count);
  std::memcpy(tensor.values.data(), data.data() + begin, end - begin);
  return tensor;
}

/// Of the whole state.
std::vector<Slice> tensors_of(const Network& network) {
  std::vector<Slice> all = network.slices();
  std::ranges::copy(network.statistics(), std::back_inserter(all));
  return all;
}

/// Where in the text parsing failed; 0 where it is JSON of another kind.
std::size_t byte_of(const json::exception& error) {
  const auto* parsing = dynamic_cast<const json::parse_error*>(&error);
  return parsing ? parsing->byte : 0;
}

/// Header with padded length, as the format likes its data aligned to 8 bytes.
std::string header_of(const Network& network, const std::map<std::string, std::string>& metadata) {
  json header = json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  for (const Slice& slice : tensors_of(network)) {
    const std::size_t begin = slice.offset * sizeof(float);
    header[slice.name] = {{"dtype", "F32"},
                          {"shape", slice.dims},
                          {"data_offsets", {begin, begin + slice.count * sizeof(float)}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

/// The header's text and the bytes behind it.
std::pair<std::string, std::vector<char>> halves_of(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    throw DataError(path.string() + ": is a folder; expected a safetensors file");
  }
  std::ifstream stream(path, std::ios::binary);
  const std::uint64_t file_size = std::filesystem::file_size(path, error);
  if (!stream || error) {
    throw DataError(path.string() + ": cannot be opened; expected a safetensors file");
  }
  std::uint64_t header_size = 0;
  stream.read(reinterpret_cast<char*>(&header_size), sizeof header_size);
  if (!stream || header_size > file_size - sizeof header_size) {
    throw DataError(path.string() + ": is not a safetensors file, or is cut short");
  }
  std::string text(header_size, '\0');
  stream.read(text.data(), std::streamsize(header_size));
  std::vector<char> data(file_size - sizeof header_size - header_size);
  stream.read(data.data(), std::streamsize(data.size()));
  return {std::move(text), std::move(data)};
}

}  // namespace

File read(const std::filesystem::path& path) {
  const auto [text, data] = halves_of(path);
  File file;
  std::string name = "header";
  std::uint64_t used = 0;  // bytes of the data up to the end of the last tensor
  try {
    const json header = json::parse(text);
    if (!header.is_object())
      throw DataError("expected an object, found " + std::string(header.type_name()));
    for (const auto& [key, entry] : header.items()) {
      name = key;
      if (key == "__metadata__") {
        file.metadata = entry.get<std::map<std::string, std::string>>();
      } else {
        file.tensors[key] = read_tensor(entry, data);
        used = std::max(used, entry.at("data_offsets").at(1).get<std::uint64_t>());
      }
    }
    name = "data";
    if (used < data.size()) {
      throw DataError(fmt::format(
          "{} bytes follow the last tensor; a safetensors file ends with it", data.size() - used));
    }
  } catch (const json::exception& e) {
    throw DataError(
        fmt::format("{}: {}: the header is damaged: expected JSON as safetensors files "
                    "have it, found something else at byte {}",
                    path.string(), name, sizeof(std::uint64_t) + byte_of(e)));
  } catch (const DataError& e) {
    throw DataError(fmt::format("{}: {}: {}", path.string(), name, e.what()));
  }
  return file;
}

void write(const std::filesystem::path& path, const Network& network, ConstView state,
           const std::map<std::string, std::string>& metadata) {
  const std::string header = header_of(network, metadata);
  const std::uint64_t header_size = header.size();
  write_file(path, [&](std::ostream& stream) {
    stream.write(reinterpret_cast<const char*>(&header_size), sizeof header_size);
    stream.write(header.data(), std::streamsize(header.size()));
    stream.write(reinterpret_cast<const char*>(state.data()), std::streamsize(state.size_bytes()));
  });
}

void load(const File& file, const std::filesystem::path& path, const Network& network, View state) {
  for (const Slice& slice : tensors_of(network)) {
    const auto it = file.tensors.find(slice.name);
    if (it == file.tensors.end()) {
      throw DataError(fmt::format("{}: has no tensor \"{}\" of {}", path.string(), slice.name,
                                  shown(slice.dims)));
    }
    if (it->second.dtype != "F32") {
      throw DataError(fmt::format("{}: {}: expected dtype F32, found {}", path.string(), slice.name,
                                  it->second.dtype));
    }
    if (it->second.dims != slice.dims) {
      throw DataError(fmt::format("{}: {}: expected {}, found {}", path.string(), slice.name,
                                  shown(slice.dims), shown(it->second.dims)));
    }
    std::ranges::copy(it->second.values, slice.of(state).begin());
  }
}

}  // namespace easgd::safetensors
