#include "nn/safetensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/file_kind.h"
#include "base/one_line.h"
#include "base/unreadable.h"

namespace easgd::safetensors {
namespace {

using nlohmann::json;

constexpr std::uint64_t kLongestHeader = 100'000'000;  // bytes, as the format's own library has it

std::string shown(const std::vector<std::int64_t>& dims) {
  return dims.empty() ? "one value without dimensions"
                      : in_one_line(fmt::format("{}", fmt::join(dims, "x")), 80);
}

/// A name or a type, which may be anything in a file of others.
std::string shown(const std::string& name) {
  return in_one_line(name, 120);
}

/// The types that become float32; all but the last exactly, it by rounding to nearest.
bool is_read(const std::string& dtype) {
  return dtype == "F32" || dtype == "F16" || dtype == "BF16" || dtype == "F64";
}

/// Bytes of a value; 0 for types that are not known here.
std::uint64_t bytes_of(const std::string& dtype) {
  static const std::map<std::string, std::uint64_t> kBytes = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1},
      {"U16", 2},  {"I16", 2}, {"F16", 2}, {"BF16", 2},    {"U32", 4},
      {"I32", 4},  {"F32", 4}, {"U64", 8}, {"I64", 8},     {"F64", 8}};
  const auto it = kBytes.find(dtype);
  return it == kBytes.end() ? 0 : it->second;
}

/// IEEE half precision: sign, 5 bits of exponent, 10 of fraction.
float from_half(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 31u,
                      fraction = bits & 0x3ffu;
  if (exponent == 0) {
    const float value = float(fraction) * 0x1p-24f;
    return sign ? -value : value;
  }
  const std::uint32_t widened = exponent == 31 ? 255 : exponent + 127 - 15;
  return std::bit_cast<float>(sign | widened << 23 | fraction << 13);
}

/// float32 without the lower half of its bits.
float from_bfloat(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t(bits) << 16);
}

template <class Stored, class Convert>
void convert(const char* bytes, std::vector<float>& values, Convert to_float) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    Stored stored;
    std::memcpy(&stored, bytes + i * sizeof stored, sizeof stored);
    values[i] = to_float(stored);
  }
}

void convert(Tensor& tensor, const char* bytes) {
  if (tensor.dtype == "F32") {
    convert<float>(bytes, tensor.values, [](float value) { return value; });
  } else if (tensor.dtype == "F16") {
    convert<std::uint16_t>(bytes, tensor.values, from_half);
  } else if (tensor.dtype == "BF16") {
    convert<std::uint16_t>(bytes, tensor.values, from_bfloat);
  } else {
    convert<double>(bytes, tensor.values, [&tensor](double value) {
      const float rounded = float(value);
      if (std::isfinite(value) && !std::isfinite(rounded) && !tensor.too_large) {
        tensor.too_large = value;
      }
      return rounded;
    });
  }
}

/// A tensor's bytes in the data.
struct Extent {
  std::uint64_t begin, end;
  std::string name;
  Tensor* tensor;
};

std::uint64_t whole_number(const json& value, const char* what) {
  if (!value.is_number_unsigned()) {
    throw DataError(
        fmt::format("{}: expected whole numbers from 0 up, found {}", what,
                    value.is_structured() ? value.type_name() : in_one_line(value.dump(), 40)));
  }
  return value.get<std::uint64_t>();
}

/// What a tensor's entry must have.
const json& member(const json& entry, const char* key) {
  const auto it = entry.is_object() ? entry.find(key) : entry.end();
  const bool text = std::strcmp(key, "dtype") == 0;
  if (!entry.is_object() || it == entry.end() || (text ? !it->is_string() : !it->is_array())) {
    throw DataError(fmt::format("the header is damaged: expected an entry with a {} \"{}\"",
                                text ? "text" : "list", key));
  }
  return *it;
}

/// The values that a shape has; nothing if a number cannot hold how many.
std::optional<std::uint64_t> count_of(const std::vector<std::int64_t>& dims) {
  if (std::ranges::count(dims, 0) > 0) return 0;
  std::uint64_t count = 1;
  for (const std::int64_t dim : dims) {
    if (__builtin_mul_overflow(count, std::uint64_t(dim), &count)) return std::nullopt;
  }
  return count;
}

/// A tensor without its values; fills `extent` with where they lie.
Tensor read_entry(const json& entry, std::size_t data_size, Extent& extent) {
  Tensor tensor{member(entry, "dtype").get<std::string>(), {}, {}, {}};
  for (const json& dim : member(entry, "shape")) {
    const std::uint64_t size = whole_number(dim, "shape");
    if (size > std::numeric_limits<std::int64_t>::max()) {
      throw DataError(fmt::format("shape: no tensor has {} values in a row", size));
    }
    tensor.dims.push_back(std::int64_t(size));
  }
  const json& offsets = member(entry, "data_offsets");
  if (offsets.size() != 2) throw DataError("data_offsets: expected two, where it begins and ends");
  extent.begin = whole_number(offsets[0], "data_offsets");
  extent.end = whole_number(offsets[1], "data_offsets");
  if (extent.end > data_size) {
    throw DataError(fmt::format("the file is cut short: expected {} bytes of data, found {}",
                                extent.end, data_size));
  }
  const std::uint64_t size = bytes_of(tensor.dtype);
  const std::optional<std::uint64_t> count = count_of(tensor.dims);
  std::uint64_t needed = 0;
  const bool fits = extent.begin <= extent.end && count &&
                    !__builtin_mul_overflow(*count, size, &needed) &&
                    (size == 0 || extent.end - extent.begin == needed);
  if (!fits) {
    throw DataError(fmt::format("bytes {}..{} do not hold a tensor of {} ({})", extent.begin,
                                extent.end, shown(tensor.dims), shown(tensor.dtype)));
  }
  return tensor;
}

/// Tensors lie side by side, as the format wants: nothing between them, nothing twice.
/// So what they become in memory is no more than twice the file.
void check_layout(std::vector<Extent> extents, std::size_t size) {
  std::ranges::sort(extents, {}, [](const Extent& e) { return std::pair(e.begin, e.end); });
  std::uint64_t used = 0;
  std::string before = "the header";
  for (const Extent& e : extents) {
    if (e.begin != used) {
      throw DataError(fmt::format(
          "{}: its bytes {}..{} {}, which ends at {}", e.name, e.begin, e.end,
          e.begin < used ? "overlap those of " + before : "leave a gap behind " + before, used));
    }
    used = e.end;
    before = e.name;
  }
  if (used < size) {
    throw DataError(fmt::format(
        "data: {} bytes follow the last tensor; a safetensors file ends with it", size - used));
  }
}

/// Refuses a name that stands twice in an object, of which JSON would keep the last.
json parse_header(const std::string_view text) {
  std::vector<std::set<std::string>> names;
  return json::parse(text, [&names](int depth, json::parse_event_t event, json& value) {
    if (event == json::parse_event_t::object_start) names.resize(std::size_t(depth) + 1);
    if (event == json::parse_event_t::object_end) names.resize(std::size_t(depth));
    if (event == json::parse_event_t::key && !names[std::size_t(depth) - 1].insert(value).second) {
      throw DataError("the name \"" + shown(value.get<std::string>()) + "\" stands twice in it");
    }
    return true;
  });
}

/// Others write numbers and lists, too, which are of no use here.
std::map<std::string, std::string> metadata_of(const json& entry) {
  std::map<std::string, std::string> metadata;
  if (!entry.is_object()) return metadata;
  for (const auto& [key, value] : entry.items()) {
    if (value.is_string()) metadata[key] = value.get<std::string>();
  }
  return metadata;
}

/// Of the whole state.
std::vector<Slice> tensors_of(const Network& network) {
  std::vector<Slice> all = network.slices();
  std::ranges::copy(network.statistics(), std::back_inserter(all));
  return all;
}

/// Where in the text parsing failed; 0 if it is JSON of another kind.
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
  std::string text = header.dump(-1, ' ', false, json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& why) {
  throw DataError(fmt::format("{}: {}; expected a safetensors file", path.string(), why));
}

/// The header's text and the bytes behind it.
std::pair<std::string, std::string> halves_of(const std::filesystem::path& path) {
  const std::string why = why_unreadable(path);
  if (!why.empty()) refuse(path, why);
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) refuse(path, "is no regular file");
  const std::uint64_t file_size = std::filesystem::file_size(path, error);
  if (error) refuse(path, "cannot be examined: " + error.message());
  std::ifstream stream(path, std::ios::binary);
  std::string beginning(std::min<std::uint64_t>(file_size, 512), '\0');
  stream.read(beginning.data(), std::streamsize(beginning.size()));
  if (!stream) refuse(path, fmt::format("cannot be read: {}", std::strerror(errno)));
  std::uint64_t header_size = 0;
  if (beginning.size() >= sizeof header_size) {
    std::memcpy(&header_size, beginning.data(), sizeof header_size);
  }
  if (file_size < sizeof header_size || header_size > file_size - sizeof header_size ||
      header_size > kLongestHeader) {
    const std::string kind = kind_of_file(beginning);
    if (file_size == 0) refuse(path, "is empty");
    if (!kind.empty() && kind != "a safetensors file") refuse(path, "is " + kind);
    throw DataError(path.string() + ": is not a safetensors file, or is cut short");
  }
  std::string text(header_size, '\0'), data;
  const std::uint64_t rest = file_size - sizeof header_size - header_size;
  try {
    data.resize(rest);
  } catch (const std::exception&) {  // bad_alloc, length_error
    throw DataError(fmt::format("{}: holds {} bytes of tensors, more than there is memory",
                                path.string(), rest));
  }
  stream.seekg(sizeof header_size);
  stream.read(text.data(), std::streamsize(text.size()));
  stream.read(data.data(), std::streamsize(data.size()));
  if (!stream) refuse(path, fmt::format("cannot be read to its end: {}", std::strerror(errno)));
  return {std::move(text), std::move(data)};
}

/// Of batch normalisations, in PyTorch: steps of training, which no network needs.
bool is_count(const std::string& name) {
  return name == "num_batches_tracked" || name.ends_with(".num_batches_tracked");
}

/// What wrappers of PyTorch put before all names, where the network's have none of it.
std::string prefix_of(const File& file, const std::vector<Slice>& wanted) {
  std::string prefix;
  for (bool longer = !file.tensors.empty(); longer;) {
    longer = false;
    for (const char* wrapper : {"module.", "_orig_mod."}) {
      const std::string candidate = prefix + wrapper;
      const bool in_all = std::ranges::all_of(file.tensors, [&candidate](const auto& item) {
        return item.first.starts_with(candidate);
      });
      const bool in_none = std::ranges::none_of(
          wanted, [&candidate](const Slice& slice) { return slice.name.starts_with(candidate); });
      if (!in_all || !in_none) continue;
      prefix = candidate;
      longer = true;
    }
  }
  return prefix;
}

/// Why a tensor cannot be taken for `slice`; empty if it can.
std::string misfit(const File& file, const std::string& name, const Slice& slice) {
  const auto it = file.tensors.find(name);
  if (it == file.tensors.end()) {
    return fmt::format("has no tensor \"{}\" of {}", slice.name, shown(slice.dims));
  }
  const Tensor& tensor = it->second;
  if (!is_read(tensor.dtype)) {
    return fmt::format("{}: expected dtype F32, F16, BF16 or F64, found {}", name,
                       shown(tensor.dtype));
  }
  if (tensor.dims != slice.dims) {
    return fmt::format(
        "{}: expected {}, found {}{}", name, shown(slice.dims), shown(tensor.dims),
        std::ranges::is_permutation(tensor.dims, slice.dims)
            ? "; the order is PyTorch's, outputs first, then inputs, then height and width"
            : "");
  }
  if (tensor.too_large) {
    return fmt::format("{}: holds {}, which is beyond the range of float32 (3.4e38)", name,
                       *tensor.too_large);
  }
  const auto negative = std::ranges::find_if(tensor.values, [](float v) { return v < 0; });
  if (slice.name.ends_with("running_var") && negative != tensor.values.end()) {
    return fmt::format("{}: holds {}; expected variances, from 0 up", name, *negative);
  }
  return {};
}

/// The first of what does not fit, and how many more.
std::string first_of(const std::vector<std::string>& misfits, std::size_t tensors) {
  if (misfits.size() < 2) return misfits.empty() ? std::string() : misfits[0];
  return fmt::format(
      "{}; and {} more of the network's {} tensors {}", misfits[0], misfits.size() - 1, tensors,
      misfits.size() == 2 ? "is missing or does not fit" : "are missing or do not fit");
}

/// What the network does not take, but counts; empty if it takes all.
std::string left_over(const File& file, const std::set<std::string>& taken) {
  std::vector<std::string> left;
  for (const auto& [name, tensor] : file.tensors) {
    if (!taken.contains(name) && !is_count(name)) left.push_back(shown(name));
  }
  if (left.empty()) return {};
  constexpr std::size_t kTold = 3;
  const std::size_t told = std::min(left.size(), kTold);
  return fmt::format(
      "holds {} tensor{} that the network does not have: {}{}; give the configuration of the "
      "network that it is of",
      left.size(), left.size() == 1 ? "" : "s",
      fmt::join(left.begin(), left.begin() + std::ptrdiff_t(told), ", "),
      told < left.size() ? ", ..." : "");
}

}  // namespace

File read(const std::filesystem::path& path) {
  const auto [text, data] = halves_of(path);
  File file;
  std::string name = "header";
  std::vector<Extent> extents;
  try {
    const json header = parse_header(text);
    if (!header.is_object())
      throw DataError("expected an object, found " + std::string(header.type_name()));
    for (const auto& [key, entry] : header.items()) {
      name = shown(key);
      if (key == "__metadata__") {
        file.metadata = metadata_of(entry);
      } else {
        Extent& extent = extents.emplace_back(Extent{0, 0, name, &file.tensors[key]});
        *extent.tensor = read_entry(entry, data.size(), extent);
      }
    }
  } catch (const json::exception& e) {
    throw DataError(
        fmt::format("{}: {}: the header is damaged: expected JSON as safetensors files "
                    "have it, found something else at byte {}",
                    path.string(), name, sizeof(std::uint64_t) + byte_of(e)));
  } catch (const DataError& e) {
    throw DataError(fmt::format("{}: {}: {}", path.string(), name, e.what()));
  }
  try {
    check_layout(extents, data.size());
  } catch (const DataError& e) {
    throw DataError(fmt::format("{}: {}", path.string(), e.what()));
  }
  for (const Extent& extent : extents) {
    if (!is_read(extent.tensor->dtype)) continue;
    extent.tensor->values.resize((extent.end - extent.begin) / bytes_of(extent.tensor->dtype));
    convert(*extent.tensor, data.data() + extent.begin);
  }
  return file;
}

void write(std::ostream& stream, const Network& network, ConstView state,
           const std::map<std::string, std::string>& metadata) {
  const std::string header = header_of(network, metadata);
  const std::uint64_t header_size = header.size();
  stream.write(reinterpret_cast<const char*>(&header_size), sizeof header_size);
  stream.write(header.data(), std::streamsize(header.size()));
  stream.write(reinterpret_cast<const char*>(state.data()), std::streamsize(state.size_bytes()));
}

void load(const File& file, const std::filesystem::path& path, const Network& network, View state) {
  const std::vector<Slice> wanted = tensors_of(network);
  const std::string prefix = prefix_of(file, wanted);
  std::set<std::string> taken;
  std::vector<std::string> misfits;
  for (const Slice& slice : wanted) {
    const std::string name = prefix + slice.name;
    std::string why = misfit(file, name, slice);
    if (!why.empty()) {
      misfits.push_back(std::move(why));
    } else {
      std::ranges::copy(file.tensors.at(name).values, slice.of(state).begin());
    }
    taken.insert(name);
  }
  std::string why = first_of(misfits, wanted.size());
  if (const std::string left = left_over(file, taken); !left.empty()) {
    why += (why.empty() ? "" : "; ") + left;
  }
  if (!why.empty()) throw DataError(fmt::format("{}: {}", path.string(), why));
}

std::string not_finite(const Network& network, ConstView state) {
  std::string first;
  std::size_t others = 0;
  for (const Slice& slice : tensors_of(network)) {
    const auto values = state.subspan(slice.offset, slice.count);
    const auto bad =
        std::ranges::count_if(values, [](float value) { return !std::isfinite(value); });
    if (bad > 0 && !first.empty()) ++others;
    if (bad > 0 && first.empty()) {
      first =
          fmt::format("{} holds {} values of {} that are not finite", slice.name, bad, slice.count);
    }
  }
  if (others == 0) return first;
  return fmt::format("{}, and so {} {} more tensor{}", first, others == 1 ? "does" : "do", others,
                     others == 1 ? "" : "s");
}

}  // namespace easgd::safetensors
